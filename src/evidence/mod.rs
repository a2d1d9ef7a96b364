//! The packets of one stream, to be shown to others.
//!
//! Live, [`HeaderRing`] keeps the last headers that a point heard, in a bounded memory, and [`Evidence`] writes those of
//! a stream to disk when a finding on it opens. `hopmark extract` writes a stream out of files: [`Picker`] tells which
//! packets are its own, [`Notes`] what there is to say of them.

mod clip;
mod folder;
mod new_file;
mod notes;
mod pick;
mod ring;
mod sheet;
mod store;
mod words;

pub use clip::Clip;
pub use new_file::NewFile;
pub use notes::Notes;
pub use pick::{Picked, Picker};
pub use ring::HeaderRing;
pub use sheet::{EvidenceRequest, PointFrames, Sheet};
pub use store::{Evidence, EvidenceCounters, EvidenceError, EvidenceSettings, Written};
pub use words::{finding_text, hop_name, interface_name};

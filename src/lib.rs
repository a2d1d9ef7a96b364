//! Hopmark: at which hop does a media stream lose its priority marking?
//!
//! The folders stand in the order of the data: [`capture`] lends frames, [`decode`] makes one
//! observation of each, [`meter`] turns observations into records, [`verify`] holds records against the
//! [`policy`], and [`report`] prints what came of it. `README.md` has the picture and the rules.

pub mod capture;
pub mod cli;
pub mod config;
pub mod decode;
pub mod evidence;
pub mod export;
pub mod meter;
pub mod pipeline;
pub mod policy;
pub mod privilege;
pub mod report;
pub mod service;
pub mod status;
pub mod synth;
pub mod terms;
pub mod verify;

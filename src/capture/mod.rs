//! Frames from an observation point: capture files of every common kind, compressed or not.

//! Frames of many layers, cut at every length, and of random octets.

//! The threads: an observer for each point, one judge, start and stop.

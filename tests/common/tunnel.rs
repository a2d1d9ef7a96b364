//! Tunnels and wrappers around a packet or a frame.

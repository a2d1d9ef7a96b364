//! A finished replay as text or JSON.

//! The operator's file: as written, then resolved into a policy.

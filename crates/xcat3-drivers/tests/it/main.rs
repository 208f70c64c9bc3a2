//! Drivers against the real thing.

mod kvm;

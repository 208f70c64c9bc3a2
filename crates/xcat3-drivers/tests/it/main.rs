//! Drivers against the real thing, and the one that has none.

mod fake;
mod ipmi;
mod kvm;

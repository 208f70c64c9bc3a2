//! The lab: a hypervisor with real virtual machines in a network of its own, installation media for
//! them, the demo and end-to-end tests that take a machine from empty to ssh in it, benchmarks of
//! requests on many nodes and on many BMCs, and simulated BMCs by the thousand.
//!
//! Nothing of the product is linked in: it is run as a user runs it, by its commands.

pub mod bench_bmc;
pub mod bench_bulk;
pub mod bmc;
pub mod cluster;
pub mod command;
pub mod e2e_boot;
pub mod faults;
pub mod install;
pub mod journey;
pub mod lab;
pub mod media;
pub mod product;
pub mod report;

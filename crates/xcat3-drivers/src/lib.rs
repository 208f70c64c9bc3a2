//! Drivers: how xcat3 talks to hardware and to operating systems' installers.
//!
//! `boot` and `install` are pure: facts in, text out.

pub mod boot;
pub mod control;
pub mod install;

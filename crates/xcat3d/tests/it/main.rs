//! The program itself, as a process of its own.

mod program;
mod settings;
mod startup;
mod survival;
mod systemd;
mod units;

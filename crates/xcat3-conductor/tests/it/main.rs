//! The conductor against a real store and bus, with a control driver that only tests have.

mod daemon;
mod fences;
mod hardware;
mod lab;
mod lanes;
mod outage;
mod provisioning;
mod survival;

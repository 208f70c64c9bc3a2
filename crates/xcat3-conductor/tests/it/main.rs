//! The conductor against a real store and bus, with a control driver that only tests have.

mod hardware;
mod lab;
mod provisioning;
mod survival;

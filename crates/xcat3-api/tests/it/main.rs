//! The REST API as its clients see it: a real server on loopback, a real store, a real conductor; only
//! the hardware is rehearsed.

mod bad_input;
mod contract;
mod daemon;
mod discovered;
mod hardware;
mod jobs;
mod many;
mod outages;
mod prototype;
mod provisioning;
mod ranges;
mod reports;
mod routes;
mod secrets;
mod server;
mod stream;
mod streams;
mod waves;
mod wire;
mod world;

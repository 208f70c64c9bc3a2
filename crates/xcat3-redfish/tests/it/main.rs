//! The client against small servers, most of them hostile. What it does with whole BMCs is tested
//! with the simulated ones, in `xcat3-sim`.

mod certificates;
mod fuzzed;
mod hostile;
mod server;
mod sessions;
mod shapes;

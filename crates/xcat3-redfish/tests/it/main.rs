//! The client against small servers, most of them hostile. `xcat3-sim` tests it against complete
//! simulated BMCs.

mod certificates;
mod fuzzed;
mod hostile;
mod server;
mod sessions;
mod shapes;

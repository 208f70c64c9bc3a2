//! The network service as its clients see it: its file servers on loopback without root, the whole
//! service in network namespaces, which needs root.

mod clients;
mod fuzzed;
mod http;
mod http_clients;
mod lab;
mod service;
mod site;
mod tftp;
mod tftp_clients;
mod unreadable;

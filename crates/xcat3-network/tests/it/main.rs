//! The network service as its clients see it, on loopback, without root.

mod clients;
mod http;
mod http_clients;
mod site;
mod tftp;
mod tftp_clients;

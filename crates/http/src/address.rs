//! Where HTTP is: a loopback address or a unix socket, never an address that other machines reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use xsched_core::Value;
use xsched_core::text::Expected;

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP, on a loopback address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The port on this machine's loopback, as earlier versions give it.
    pub fn of_port(port: u16) -> Address {
        Address::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl Value for Address {
    const EXPECTED: &'static str =
        "a loopback address with its port, such as 127.0.0.1:50000, or the absolute path of a unix socket";

    fn parse(text: &str) -> Result<Address, Expected> {
        if text.starts_with('/') {
            return Ok(Address::Unix(text.into()));
        }
        let text = text
            .strip_prefix("localhost:")
            .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        let address: SocketAddr = text.parse().map_err(|_| Expected::new(Self::EXPECTED))?;
        if address.ip().is_loopback() {
            Ok(Address::Tcp(address))
        } else {
            Err(Expected::new(format!(
                "{}; for other machines, put a proxy with TLS in front",
                Self::EXPECTED
            )))
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_and_paths_are_read_and_others_are_refused() {
        for text in ["127.0.0.1:50000", "[::1]:80", "/run/xsched/http.sock", "127.3.2.1:1"] {
            assert_eq!(Address::parse(text).unwrap().show(), text);
        }
        assert_eq!(Address::parse("localhost:7").unwrap(), Address::of_port(7));
        for text in
            ["", "50000", "0.0.0.0:80", "[::]:80", "192.168.0.1:80", "example.org:80", "relative.sock"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}

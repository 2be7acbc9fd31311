//! The name of a physical device, the same for every platform, process and container.

use crate::text::{Expected, Value};
use std::fmt;

/// Names a physical device so that two programs that reach it by different ways (OpenCL and CUDA, say) are seen to contend:
/// `pci:0000:65:00.0`, `uuid:<32 hex digits>`, `cpu:0` for runtimes that compute on the CPU, or `sim:<n>`.
///
/// At most [`DeviceKey::MAX_LEN`] printable ASCII characters, of the form `kind:name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceKey(String);

impl DeviceKey {
    /// The longest key, in bytes.
    pub const MAX_LEN: usize = 63;

    /// A device on the PCI bus.
    pub fn pci(domain: u32, bus: u8, device: u8, function: u8) -> DeviceKey {
        DeviceKey(format!("pci:{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
    }

    /// A device that has a vendor's UUID.
    pub fn uuid(bytes: [u8; 16]) -> DeviceKey {
        DeviceKey(bytes.iter().fold(String::from("uuid:"), |text, b| text + &format!("{b:02x}")))
    }

    /// CPUs that are used as a device, by OpenCL runtimes for instance. There is one, 0, for all of a machine: docs/design/0007 says why.
    pub fn cpu(number: u32) -> DeviceKey {
        DeviceKey(format!("cpu:{number}"))
    }

    /// A device that only a vendor's name for it tells apart; last resort. Characters outside a key's alphabet become `-`.
    pub fn named(vendor: &str, index: usize) -> DeviceKey {
        let clean: String = vendor
            .chars()
            .take(40)
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        DeviceKey(format!("name:{clean}/{index}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for DeviceKey {
    const EXPECTED: &'static str = "a device key such as pci:0000:65:00.0 or cpu:0";
    fn parse(text: &str) -> Result<Self, Expected> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        let shaped = text.split_once(':').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if printable && shaped && text.len() <= Self::MAX_LEN {
            Ok(DeviceKey(text.into()))
        } else {
            Err(Expected::new(Self::EXPECTED))
        }
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

impl TryFrom<String> for DeviceKey {
    type Error = Expected;
    fn try_from(text: String) -> Result<Self, Expected> {
        DeviceKey::parse(&text)
    }
}

impl From<DeviceKey> for String {
    fn from(key: DeviceKey) -> String {
        key.0
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constructor_gives_a_key_that_reads_back() {
        for key in [
            DeviceKey::pci(0, 0x65, 0, 0),
            DeviceKey::uuid([0xab; 16]),
            DeviceKey::cpu(1),
            DeviceKey::named(&"Ä b".repeat(40), 3),
        ] {
            assert_eq!(DeviceKey::parse(key.as_str()), Ok(key));
        }
    }

    #[test]
    fn shapeless_or_long_keys_are_refused() {
        for text in ["", "cpu", "cpu:", ":0", "cpu:0\n", &format!("pci:{}", "0".repeat(60))] {
            assert!(DeviceKey::parse(text).is_err(), "{text:?}");
        }
    }
}

//! A network card of the machine that `ova-xml` describes, as people write it: `LABEL,mac=00:16:3e:5a:01:02`.

use crate::ova::mac::Mac;

/// A network card of a machine to be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmNetwork {
    label: String,
    mac: Option<Mac>,
}

impl VmNetwork {
    /// A card in the network of that `label`. Without an address the importer makes one.
    ///
    /// Refused (with the sentence): an empty label, which no network of a pool is found by.
    pub fn new(label: &str, mac: Option<Mac>) -> Result<Self, String> {
        if label.is_empty() {
            return Err("the label of a network is empty".to_owned());
        }
        Ok(VmNetwork { label: label.to_owned(), mac })
    }

    /// Reads `LABEL[,mac=MAC]`. Every other comma is a part of the label; what follows the last `,mac=` never is.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.rsplit_once(",mac=") {
            Some((label, mac)) => VmNetwork::new(label, Some(Mac::parse(mac)?)),
            None => VmNetwork::new(text, None),
        }
    }

    /// `name_label` of the network.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The address, if it is not the importer's choice.
    pub(crate) fn mac(&self) -> Option<Mac> {
        self.mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_may_hold_commas_and_only_the_last_mac_is_an_address() {
        let mac = "00:16:3e:00:00:01";
        for (text, label, address) in [
            ("lan".to_owned(), "lan", None),
            ("a, b,c=d".to_owned(), "a, b,c=d", None),
            (format!("a, b,mac={mac}"), "a, b", Some(mac)),
            (format!("a,mac=b,mac={mac}"), "a,mac=b", Some(mac)),
            (format!("mac={mac}"), "mac=00:16:3e:00:00:01", None),
        ] {
            let card = VmNetwork::parse(&text).unwrap();
            assert_eq!((card.label(), card.mac().map(|mac| mac.to_string()).as_deref()), (label, address));
        }
    }

    #[test]
    fn no_label_and_no_address_where_there_should_be_one_are_refused() {
        for bad in
            ["", ",mac=00:16:3e:00:00:01", "lan,mac=", "lan,mac=b", "lan,mac=00:16:3e:00:00:01,mtu=9000"]
        {
            assert!(VmNetwork::parse(bad).is_err(), "{bad:?}");
        }
    }
}

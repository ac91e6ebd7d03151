//! Where an order goes and who is billed.

use serde::{Deserialize, Serialize};
use stoa_kernel::{Fields, fields::text};
use utoipa::ToSchema;

/// A postal address with somebody to call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Who receives it.
    #[schema(min_length = 1, max_length = 255)]
    pub full_name: String,
    /// Street and house.
    #[schema(min_length = 1, max_length = 255)]
    pub street: String,
    /// Town.
    #[schema(min_length = 1, max_length = 100)]
    pub city: String,
    /// State or region; empty where there is none.
    #[schema(max_length = 100)]
    pub state: String,
    /// Postal code.
    #[schema(min_length = 1, max_length = 20)]
    pub zip_code: String,
    /// Country, by name or code.
    #[schema(min_length = 1, max_length = 100)]
    pub country: String,
    /// Telephone number.
    #[schema(min_length = 1, max_length = 50)]
    pub phone: String,
}

impl Address {
    /// Notes every flaw under `prefix`, e.g. `shippingAddress.city`.
    pub(crate) fn check(&self, prefix: &str, fields: &mut Fields) {
        let parts = [
            ("fullName", &self.full_name, 1, 255),
            ("street", &self.street, 1, 255),
            ("city", &self.city, 1, 100),
            ("state", &self.state, 0, 100),
            ("zipCode", &self.zip_code, 1, 20),
            ("country", &self.country, 1, 100),
            ("phone", &self.phone, 1, 50),
        ];
        for (name, value, least, most) in parts {
            fields.take(format!("{prefix}.{name}"), text(value, least, most));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            full_name: "Ann Smith".into(),
            street: "1 Long Road".into(),
            city: "Oslo".into(),
            state: String::new(),
            zip_code: "0150".into(),
            country: "NO".into(),
            phone: "+47 22 00 00 00".into(),
        }
    }

    fn flaws(address: &Address) -> Vec<(String, String)> {
        let mut fields = Fields::default();
        address.check("shippingAddress", &mut fields);
        let told = fields.finish().err().map(|refusal| refusal.fields).unwrap_or_default();
        told.into_iter().map(|flaw| (flaw.field.into_owned(), flaw.code.into_owned())).collect()
    }

    #[test]
    fn each_part_has_bounds_and_only_the_state_may_be_empty() {
        assert_eq!(flaws(&address()), []);
        let bad = Address { city: "  ".into(), zip_code: "9".repeat(21), phone: String::new(), ..address() };
        let expected = [
            ("shippingAddress.city", "TOO_SHORT"),
            ("shippingAddress.zipCode", "TOO_LONG"),
            ("shippingAddress.phone", "TOO_SHORT"),
        ];
        assert_eq!(flaws(&bad), expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
        assert_eq!(flaws(&Address { full_name: "ü".repeat(255), ..address() }), []);
        assert_eq!(flaws(&Address { full_name: "ü".repeat(256), ..address() }).len(), 1);
    }
}

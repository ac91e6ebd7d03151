//! What an offer is: something taken off a price, for a product, a category, a package or the whole cart.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use stoa_contracts::catalog::{OfferId, PackageId, ProductId};
use stoa_kernel::{
    Currency, Decimal, Fields, Flaw, Id, Money, Refusal, Timestamp, fields::text, money::MoneyError,
};

use crate::{
    category::CategoryId,
    product::{HIGHEST_PRICE, LONGEST_NAME},
    store::categories::CategoryName,
    update_product::given,
};

/// Offers that are active and need no code: more would make every checkout slow.
pub(crate) const MOST_AUTOMATIC: i64 = 1_000;
const LONGEST_CODE: usize = 64;
const MOST_USES: i64 = 1_000_000_000;
/// All of a price, in basis points.
const WHOLE: i64 = 10_000;

/// How an offer reckons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferKind {
    /// By percent.
    Percent,
    /// By an amount of money.
    Fixed,
}

impl OfferKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Fixed => "fixed",
        }
    }
}

/// What an offer takes off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    /// So many basis points.
    Percent(i64),
    /// An amount: of each piece, or once of the cart.
    Fixed(Money),
}

impl Worth {
    pub(crate) const fn kind(self) -> OfferKind {
        match self {
            Self::Percent(_) => OfferKind::Percent,
            Self::Fixed(_) => OfferKind::Fixed,
        }
    }

    /// The number as it is stored.
    pub(crate) const fn stored(self) -> i64 {
        match self {
            Self::Percent(basis_points) => basis_points,
            Self::Fixed(amount) => amount.minor(),
        }
    }

    pub(crate) fn read(kind: &str, value: i64, currency: Currency) -> Option<Self> {
        match kind {
            "percent" => Some(Self::Percent(value)),
            "fixed" => Some(Self::Fixed(Money::from_minor(value, currency))),
            _ => None,
        }
    }

    /// Reads a value as its kind means it.
    fn parse(kind: OfferKind, value: Decimal, currency: Currency) -> Result<Self, Flaw> {
        // "No currency" has two digits, as percentages have.
        let hundredths = Currency::parse("XXX").unwrap_or(currency);
        let scale = if kind == OfferKind::Percent { hundredths } else { currency };
        let amount = value.in_currency(scale).map_err(|error| match error {
            MoneyError::TooPrecise => Flaw::new("TOO_PRECISE", "This has too many decimals."),
            MoneyError::TooLarge => Flaw::new("TOO_LARGE", "This is too large."),
        })?;
        match (kind, amount.minor()) {
            (_, ..=0) => Err(Flaw::new("NOT_POSITIVE", "This must be more than nothing.")),
            (OfferKind::Percent, 1..=WHOLE) => Ok(Self::Percent(amount.minor())),
            (OfferKind::Fixed, 1..=HIGHEST_PRICE) => Ok(Self::Fixed(amount)),
            _ => Err(Flaw::new("TOO_LARGE", "This is too large.")),
        }
    }
}

/// A percentage without needless digits; money with all of its own.
impl Serialize for Worth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(amount) => amount.serialize(serializer),
            Self::Percent(basis_points) => {
                let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
                let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
                RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

/// The kinds of things an offer can be for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A product with all of its variants.
    Product,
    /// All products of a category and of those that stand in it.
    Category,
    /// A package.
    Package,
    /// Everything together.
    Cart,
}

/// What an offer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Product(ProductId),
    Category(CategoryId),
    Package(PackageId),
    Cart,
}

impl Target {
    pub(crate) fn shown(self) -> OfferTarget {
        let (kind, id) = match self {
            Self::Product(id) => (TargetKind::Product, Some(id.uuid().into())),
            Self::Category(id) => (TargetKind::Category, Some(id.uuid().into())),
            Self::Package(id) => (TargetKind::Package, Some(id.uuid().into())),
            Self::Cart => (TargetKind::Cart, None),
        };
        OfferTarget { kind, id }
    }

    pub(crate) fn read(kind: &str, id: Option<Id<()>>) -> Option<Self> {
        Some(match (kind, id) {
            ("product", Some(id)) => Self::Product(id.uuid().into()),
            ("category", Some(id)) => Self::Category(id.uuid().into()),
            ("package", Some(id)) => Self::Package(id.uuid().into()),
            ("cart", None) => Self::Cart,
            _ => return None,
        })
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

/// What an offer is for, as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct OfferTarget {
    /// The kind of thing.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// Its id; absent for the cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ProductId, required = false, nullable = false)]
    pub id: Option<Id<()>>,
}

impl OfferTarget {
    /// The word that is stored for the kind.
    pub(crate) const fn name(self) -> &'static str {
        match self.kind {
            TargetKind::Product => "product",
            TargetKind::Category => "category",
            TargetKind::Package => "package",
            TargetKind::Cart => "cart",
        }
    }
}

/// An offer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// What buyers enter to get it; one without applies by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// How it reckons.
    pub(crate) kind: OfferKind,
    /// The percentage, or the amount.
    #[serde(rename = "value")]
    #[schema(value_type = Decimal)]
    pub(crate) worth: Worth,
    /// What it is for.
    #[schema(value_type = OfferTarget)]
    pub(crate) target: Target,
    /// When it begins; at once unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub starts_at: Option<Timestamp>,
    /// When it is over; never unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ends_at: Option<Timestamp>,
    /// How often it can be used; as often as is liked unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub max_uses: Option<i64>,
    /// How often it was used.
    #[schema(minimum = 0)]
    pub uses: i64,
    /// Whether it is switched on.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, from 1.
    #[serde(skip)]
    pub version: i64,
}

/// What an offer is to be for, as it comes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GivenTarget {
    /// The kind of thing.
    #[serde(rename = "type")]
    kind: TargetKind,
    /// Its id, or the slug of a category; not for the cart.
    #[serde(default)]
    #[schema(max_length = 100)]
    id: Option<String>,
}

/// What an offer is to be for, before anybody has looked whether there is such a thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum WantedTarget {
    Product(ProductId),
    Category(CategoryName),
    Package(PackageId),
    Cart,
}

impl GivenTarget {
    fn checked(&self) -> Result<WantedTarget, Flaw> {
        let not_an_id = |_| Flaw::new("INVALID", "This is no id.");
        match (self.kind, self.id.as_deref()) {
            (TargetKind::Cart, None) => Ok(WantedTarget::Cart),
            (TargetKind::Cart, Some(_)) => Err(Flaw::new("NOT_ALLOWED", "The cart has no id.")),
            (_, None) => Err(Flaw::new("REQUIRED", "Tell what the offer is for.")),
            (TargetKind::Product, Some(id)) => id.parse().map(WantedTarget::Product).map_err(not_an_id),
            (TargetKind::Package, Some(id)) => id.parse().map(WantedTarget::Package).map_err(not_an_id),
            (TargetKind::Category, Some(name)) => Ok(WantedTarget::Category(CategoryName::of(name))),
        }
    }
}

/// An offer to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateOffer {
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What buyers enter to get it, in whatever case; without one it applies by itself.
    #[schema(min_length = 1, max_length = 64)]
    code: Option<String>,
    /// How it reckons.
    kind: OfferKind,
    /// A percentage up to 100 with at most two decimals, or an amount.
    value: Decimal,
    /// What it is for.
    target: GivenTarget,
    /// When it begins.
    starts_at: Option<Timestamp>,
    /// When it is over.
    ends_at: Option<Timestamp>,
    /// How often it can be used.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    max_uses: Option<i64>,
    /// Whether it is switched on; it is unless told.
    active: Option<bool>,
}

/// What is to change of an offer; what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct UpdateOffer {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    /// What buyers enter to get it; null makes it apply by itself.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    code: Option<Option<String>>,
    /// How it reckons; another kind wants its value beside it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    kind: Option<OfferKind>,
    /// A percentage up to 100 with at most two decimals, or an amount.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Decimal)]
    value: Option<Decimal>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    target: Option<GivenTarget>,
    /// When it begins; null is at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Timestamp>)]
    starts_at: Option<Option<Timestamp>>,
    /// When it is over; null is never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Timestamp>)]
    ends_at: Option<Option<Timestamp>>,
    /// How often it can be used; null is as often as is liked.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000)]
    max_uses: Option<Option<i64>>,
    /// Whether it is switched on.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// What a new offer is made of, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NewOffer {
    pub(crate) name: String,
    pub(crate) code: Option<String>,
    pub(crate) worth: Worth,
    pub(crate) target: WantedTarget,
    pub(crate) starts_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) max_uses: Option<i64>,
    pub(crate) active: bool,
}

/// Changes of an offer, checked as far as they can be without the offer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct OfferChanges {
    pub(crate) name: Option<String>,
    pub(crate) code: Option<Option<String>>,
    pub(crate) kind: Option<OfferKind>,
    pub(crate) value: Option<Decimal>,
    pub(crate) target: Option<WantedTarget>,
    pub(crate) starts_at: Option<Option<Timestamp>>,
    pub(crate) ends_at: Option<Option<Timestamp>>,
    pub(crate) max_uses: Option<Option<i64>>,
    pub(crate) active: Option<bool>,
}

impl CreateOffer {
    /// The offer, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self, currency: Currency) -> Result<NewOffer, Refusal> {
        let mut fields = Fields::default();
        let name = fields.take("name", offer_name(&self.name));
        let code = fields.take_given("code", self.code.as_deref().map(code));
        let worth = fields.take("value", Worth::parse(self.kind, self.value, currency));
        let target = fields.take("target.id", self.target.checked());
        let max_uses = fields.take_given("maxUses", self.max_uses.map(max_uses));
        check_period(&mut fields, self.starts_at, self.ends_at);
        match (fields.is_clean(), name, worth, target) {
            (true, Some(name), Some(worth), Some(target)) => Ok(NewOffer {
                name,
                code,
                worth,
                target,
                starts_at: self.starts_at,
                ends_at: self.ends_at,
                max_uses,
                active: self.active.unwrap_or(true),
            }),
            _ => Err(fields.into_refusal()),
        }
    }
}

impl UpdateOffer {
    /// The changes, if every field is as it must be; otherwise 422 with all that are not.
    pub(crate) fn checked(self) -> Result<OfferChanges, Refusal> {
        let mut fields = Fields::default();
        let code = self.code.map(|given| given.as_deref().map(code).transpose());
        let max_uses = self.max_uses.map(|given| given.map(max_uses).transpose());
        let changes = OfferChanges {
            name: fields.take_given("name", self.name.as_deref().map(offer_name)),
            code: fields.take_given("code", code),
            kind: self.kind,
            value: self.value,
            target: fields.take_given("target.id", self.target.as_ref().map(GivenTarget::checked)),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            max_uses: fields.take_given("maxUses", max_uses),
            active: self.active,
        };
        fields.finish().map(|()| changes)
    }
}

impl Offer {
    /// Whether it applies by itself to whoever buys.
    pub(crate) const fn is_automatic(&self) -> bool {
        self.active && self.code.is_none()
    }

    /// Takes over what is to change, of a target that was found; the rest stays. 422 if it would not fit together.
    pub(crate) fn change(
        &mut self,
        changes: &OfferChanges,
        target: Option<Target>,
        (at, currency): (Timestamp, Currency),
    ) -> Result<(), Refusal> {
        let mut fields = Fields::default();
        let kind = changes.kind.unwrap_or(self.kind);
        match changes.value {
            Some(value) => {
                self.worth = fields.take("value", Worth::parse(kind, value, currency)).unwrap_or(self.worth);
            }
            None if kind == self.kind => {}
            None => fields.refuse("value", Flaw::new("REQUIRED", "Another kind wants its value.")),
        }
        self.kind = kind;
        self.name = changes.name.clone().unwrap_or_else(|| self.name.clone());
        self.code = changes.code.clone().unwrap_or_else(|| self.code.clone());
        self.target = target.unwrap_or(self.target);
        self.starts_at = changes.starts_at.unwrap_or(self.starts_at);
        self.ends_at = changes.ends_at.unwrap_or(self.ends_at);
        self.max_uses = changes.max_uses.unwrap_or(self.max_uses);
        self.active = changes.active.unwrap_or(self.active);
        check_period(&mut fields, self.starts_at, self.ends_at);
        self.updated_at = at;
        self.version += 1;
        fields.finish()
    }
}

fn offer_name(value: &str) -> Result<String, Flaw> {
    text(value, 1, LONGEST_NAME)
}

/// A code is typed by people: nothing in it is invisible.
fn code(value: &str) -> Result<String, Flaw> {
    let code = text(value, 1, LONGEST_CODE)?;
    if code.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Flaw::new("NOT_A_CODE", "A code cannot hold spaces or control characters."));
    }
    Ok(code)
}

fn max_uses(value: i64) -> Result<i64, Flaw> {
    match value {
        ..=0 => Err(Flaw::new("NOT_POSITIVE", "This must be more than nothing.")),
        1..=MOST_USES => Ok(value),
        _ => Err(Flaw::new("TOO_LARGE", "This is too large.")),
    }
}

fn check_period(fields: &mut Fields, starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) {
    let fine = ends_at.is_none_or(|end| starts_at.is_none_or(|start| start < end));
    fields.check("endsAt", fine, Flaw::new("NOT_AFTER_START", "The end comes after the beginning."));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn told(refusal: &Refusal) -> Vec<String> {
        refusal.fields.iter().map(|field| format!("{} {}", field.field, field.code)).collect()
    }

    fn checked(json: &str) -> Result<NewOffer, Vec<String>> {
        let given: CreateOffer = serde_json::from_str(json).unwrap();
        given.checked(usd()).map_err(|refusal| told(&refusal))
    }

    fn valued(kind: &str, value: &str) -> Result<i64, String> {
        let json = format!(r#"{{"name":"x","kind":"{kind}","value":{value},"target":{{"type":"cart"}}}}"#);
        checked(&json).map(|new| new.worth.stored()).map_err(|flaws| flaws.join(","))
    }

    #[test]
    fn a_percentage_has_two_decimals_and_is_at_most_all() {
        assert_eq!(valued("percent", "12.5"), Ok(1_250));
        assert_eq!(valued("percent", "0.01"), Ok(1));
        assert_eq!(valued("percent", "100.00"), Ok(10_000));
        assert_eq!(valued("percent", "100.01").unwrap_err(), "value TOO_LARGE");
        assert_eq!(valued("percent", "0.001").unwrap_err(), "value TOO_PRECISE");
        assert_eq!(valued("percent", "0").unwrap_err(), "value NOT_POSITIVE");
        assert_eq!(valued("percent", "-5").unwrap_err(), "value NOT_POSITIVE");
        assert_eq!(valued("fixed", "250").unwrap(), 25_000);
        assert_eq!(valued("fixed", "1.999").unwrap_err(), "value TOO_PRECISE");
        assert_eq!(valued("fixed", "10000000000.01").unwrap_err(), "value TOO_LARGE");
    }

    #[test]
    fn percentages_are_shown_without_needless_digits() {
        let shown = |worth| serde_json::to_string(&worth).unwrap();
        let percents = [1_250, 1_000, 10_000, 1].map(|basis_points| shown(Worth::Percent(basis_points)));
        assert_eq!(percents, ["12.5", "10", "100", "0.01"]);
        assert_eq!(shown(Worth::Fixed(Money::from_minor(500, usd()))), "5.00");
    }

    #[test]
    fn a_target_has_an_id_unless_it_is_the_cart() {
        let target = |kind: &str, id: Option<&str>| GivenTarget {
            kind: serde_json::from_str(&format!("\"{kind}\"")).unwrap(),
            id: id.map(str::to_owned),
        };
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(target("cart", None).checked(), Ok(WantedTarget::Cart));
        assert_eq!(target("product", Some(id)).checked(), Ok(WantedTarget::Product(id.parse().unwrap())));
        let lamps = WantedTarget::Category(CategoryName::Slug("lamps".into()));
        assert_eq!(target("category", Some("lamps")).checked(), Ok(lamps));
        for (kind, id, code) in [
            ("cart", Some(id), "NOT_ALLOWED"),
            ("product", None, "REQUIRED"),
            ("package", Some("lamps"), "INVALID"),
            ("category", None, "REQUIRED"),
        ] {
            assert_eq!(target(kind, id).checked().unwrap_err().code, code, "{kind}");
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let flaws = checked(
            r#"{"name":" ","code":"a b","kind":"percent","value":101,"target":{"type":"product"},"maxUses":0,
                "startsAt":"2026-02-01T00:00:00Z","endsAt":"2026-02-01T00:00:00Z"}"#,
        );
        let named = [
            "name TOO_SHORT",
            "code NOT_A_CODE",
            "value TOO_LARGE",
            "target.id REQUIRED",
            "maxUses NOT_POSITIVE",
            "endsAt NOT_AFTER_START",
        ];
        assert_eq!(flaws.unwrap_err(), named);
    }

    #[test]
    fn changes_have_to_fit_what_is_there() {
        let at = Timestamp::from_seconds;
        let offer = Offer {
            id: format!("{:032x}", 1).parse().unwrap(),
            name: "Spring".into(),
            code: Some("SPRING".into()),
            kind: OfferKind::Percent,
            worth: Worth::Percent(1_000),
            target: Target::Cart,
            starts_at: Some(at(10)),
            ends_at: None,
            max_uses: Some(3),
            uses: 2,
            active: true,
            created_at: at(0),
            updated_at: at(0),
            version: 1,
        };
        let changed = |json: &str| {
            let mut offer = offer.clone();
            let changes = serde_json::from_str::<UpdateOffer>(json).unwrap().checked().unwrap();
            let done = offer.change(&changes, None, (at(5), usd()));
            done.map(|()| offer).map_err(|refusal| told(&refusal))
        };
        let freed = changed(r#"{"code":null,"maxUses":null,"value":20,"startsAt":null}"#).unwrap();
        assert_eq!((freed.code, freed.max_uses, freed.starts_at), (None, None, None));
        assert_eq!((freed.worth, freed.version, freed.uses), (Worth::Percent(2_000), 2, 2));
        assert_eq!(changed(r#"{"kind":"fixed"}"#).unwrap_err(), ["value REQUIRED"]);
        let fixed = changed(r#"{"kind":"fixed","value":250}"#).unwrap();
        assert_eq!(fixed.worth, Worth::Fixed(Money::from_minor(25_000, usd())));
        assert_eq!(changed(r#"{"value":250}"#).unwrap_err(), ["value TOO_LARGE"]);
        assert_eq!(changed(r#"{"endsAt":"1970-01-01T00:00:09Z"}"#).unwrap_err(), ["endsAt NOT_AFTER_START"]);
    }
}

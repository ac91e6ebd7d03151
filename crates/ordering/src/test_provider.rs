//! The payment provider `test`, for trying out a shop and for tests.
//!
//! It stands for an outside party. Its ledger lies in tables that nothing else reads or joins, and each of its answers is
//! a transaction of its own, committed before we hear it: a server killed in between finds charges it does not know of,
//! as with a real provider. It lives in the shared database rather than in a file so that every node asks the same one.
//!
//! It understands Stripe's test names: `pm_card_…` pays, `pm_card_chargeDeclined…` declines,
//! `pm_card_authenticationRequired` wants a second step, which is taken by confirming the payment without a method,
//! `pm_card_refundFail` pays and refuses every refund, and `pm_test_timeout` pays but its answer is lost.

use stoa_contracts::payments::{
    Answer, Charge, ChargeOutcome, Intent, PaymentProvider, ProviderError, Refund, RefundOutcome,
};
use stoa_kernel::{Clock, Currency, Id, Money, Random, Timestamp};
use stoa_platform::{
    Platform,
    database::{Connection, Database, DatabaseError, Migration, Row, Tx},
    params,
};

/// The tables of the ledger.
pub(crate) const LEDGER: Migration =
    Migration::shared(31, "test_provider", include_str!("../../../migrations/0031_test_provider.sql"));
/// Several attempts to a payment.
pub(crate) const ATTEMPTS: Migration = Migration::shared(
    35,
    "test_provider_attempts",
    include_str!("../../../migrations/0035_test_provider_attempts.sql"),
);

/// Charges, but its answer never arrives.
const LOSES_ITS_ANSWER: &str = "pm_test_timeout";
/// Charges, and no refund of it succeeds.
const REFUSES_REFUNDS: &str = "pm_card_refundFail";

/// The provider `test`.
#[derive(Clone, Debug)]
pub struct TestProvider {
    database: Database,
    clock: Clock,
    random: Random,
}

/// How a charge stands in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Captured,
    Declined,
    Action,
    Void,
}

impl Entry {
    const ALL: [Self; 4] = [Self::Captured, Self::Declined, Self::Action, Self::Void];

    const fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Action => "action",
            Self::Void => "void",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.name() == name)
    }

    /// What a payment method makes of a charge.
    fn of_method(method: &str) -> Self {
        if method.starts_with("pm_card_chargeDeclined") {
            Self::Declined
        } else if method == "pm_card_authenticationRequired" {
            Self::Action
        } else {
            Self::Captured
        }
    }
}

/// The name of the payment that a key is for. It holds the key, so nobody needs to be asked for it.
fn intent_of(key: &str) -> String {
    format!("pi_{}", key.replace(':', "_"))
}

/// The key that the ledger has a payment under.
fn key_of(intent: &str) -> String {
    intent.strip_prefix("pi_").unwrap_or(intent).replace('_', ":")
}

fn secret_of(key: &str) -> String {
    format!("{}_secret", intent_of(key))
}

/// A line of the ledger as it is told.
fn outcome(entry: Entry, charge: String, key: &str, amount: Money) -> ChargeOutcome {
    match entry {
        Entry::Captured => ChargeOutcome::Captured { charge, amount },
        Entry::Declined => ChargeOutcome::Declined,
        Entry::Action => {
            ChargeOutcome::ActionNeeded { kind: "authenticate".into(), client_secret: secret_of(key) }
        }
        Entry::Void => ChargeOutcome::Voided,
    }
}

impl TestProvider {
    /// The provider, with its ledger in the platform's database.
    pub fn new(platform: &Platform) -> Self {
        Self {
            database: platform.database.clone(),
            clock: platform.clock.clone(),
            random: platform.random.clone(),
        }
    }

    fn name_for(&self, prefix: &str) -> String {
        let id: Id<()> = Id::new(self.clock.now(), &self.random);
        format!("{prefix}_{}", id.uuid().simple())
    }

    async fn pay(
        &self,
        key: String,
        attempt: String,
        amount: Money,
        method: String,
    ) -> Result<ChargeOutcome, ProviderError> {
        let (charge, now) = (self.name_for("ch"), self.clock.now());
        let paid = self.database.write(move |tx| {
            let entry = Entry::of_method(&method);
            let inserted = tx.execute(
                "INSERT INTO test_provider_charges (key, charge, amount, currency, method, state, attempt, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key) DO NOTHING",
                params![
                    &key,
                    &charge,
                    amount,
                    amount.currency().code(),
                    &method,
                    entry.name(),
                    &attempt,
                    now
                ],
            )?;
            if inserted == 1 {
                return Ok(Some(outcome(entry, charge.clone(), &key, amount)));
            }
            tx.execute(
                "UPDATE test_provider_charges SET method = $2, state = $3, attempt = $4
                 WHERE key = $1 AND attempt <> $4 AND state IN ('declined', 'action')",
                params![&key, &method, entry.name(), &attempt],
            )?;
            find(tx, &key)
        });
        paid.await.map_err(unreachable)?.ok_or_else(|| {
            ProviderError::Unreachable("the ledger refused an entry that it does not hold".into())
        })
    }

    /// The buyer has taken the second step.
    async fn complete(&self, key: String) -> Result<ChargeOutcome, ProviderError> {
        let completed = self.database.write(move |tx| {
            tx.execute(
                "UPDATE test_provider_charges SET state = 'captured' WHERE key = $1 AND state = 'action'",
                params![&key],
            )?;
            find(tx, &key)
        });
        let found = completed.await.map_err(unreachable)?;
        found.ok_or_else(|| ProviderError::Refused("there is nothing to complete".into()))
    }
}

fn unreachable(error: DatabaseError) -> ProviderError {
    ProviderError::Unreachable(error.to_string())
}

fn find(connection: &mut Connection<'_>, key: &str) -> Result<Option<ChargeOutcome>, DatabaseError> {
    let sql = "SELECT state, charge, amount, currency FROM test_provider_charges WHERE key = $1";
    connection.find(sql, params![key], |row| {
        let (state, charge) = (row.parse(Entry::parse)?, row.read()?);
        let amount = match state {
            // A line that was voided before it was paid has no amount.
            Entry::Void => return Ok(ChargeOutcome::Voided),
            _ => money(row)?,
        };
        Ok(outcome(state, charge, key, amount))
    })
}

/// The amount and the currency that a row goes on with.
fn money(row: &Row<'_>) -> Result<Money, DatabaseError> {
    let minor = row.read()?;
    Ok(Money::from_minor(minor, row.parse(Currency::parse)?))
}

fn void(tx: &mut Tx<'_>, key: &str, at: Timestamp) -> Result<ChargeOutcome, DatabaseError> {
    tx.execute(
        "INSERT INTO test_provider_charges (key, charge, amount, currency, method, state, created_at)
         VALUES ($1, '', 0, '', '', $2, $3)
         ON CONFLICT (key) DO UPDATE SET state = excluded.state
             WHERE test_provider_charges.state IN ('action', 'declined')",
        params![key, Entry::Void.name(), at],
    )?;
    find(tx, key)?.ok_or_else(|| DatabaseError::Defect("the ledger lost an entry".into()))
}

fn refund(
    tx: &mut Tx<'_>,
    (key, charge, refund): (&str, &str, &str),
    amount: Money,
    at: Timestamp,
) -> Result<String, Rejected> {
    let fresh = tx.execute(
        "INSERT INTO test_provider_refunds (key, charge_key, refund, amount, created_at)
         SELECT $1, charges.key, $3, CAST($4 AS BIGINT), $5 FROM test_provider_charges AS charges
         WHERE charges.charge = $2 AND charges.state = 'captured' AND charges.method <> $6
             AND charges.refunded + CAST($4 AS BIGINT) <= charges.amount
         ON CONFLICT (key) DO NOTHING",
        params![key, charge, refund, amount, at, REFUSES_REFUNDS],
    )?;
    if fresh == 1 {
        tx.execute(
            "UPDATE test_provider_charges SET refunded = refunded + CAST($2 AS BIGINT) WHERE charge = $1",
            params![charge, amount],
        )?;
        return Ok(refund.to_owned());
    }
    refund_of(tx, key)?.ok_or(Rejected::Amount)
}

fn refund_of(connection: &mut Connection<'_>, key: &str) -> Result<Option<String>, DatabaseError> {
    connection.find("SELECT refund FROM test_provider_refunds WHERE key = $1", params![key], |row| row.read())
}

/// Why the ledger takes no refund.
enum Rejected {
    Amount,
    Database(DatabaseError),
}

impl From<DatabaseError> for Rejected {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl PaymentProvider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    fn accepts(&self, method: &str) -> bool {
        method.starts_with("pm_card_") || method == LOSES_ITS_ANSWER
    }

    fn known_intent(&self, key: &str) -> Option<Intent> {
        Some(Intent { id: intent_of(key) })
    }

    fn open<'a>(&'a self, key: &'a str, _: Money) -> Answer<'a, Intent> {
        Box::pin(async move { Ok(Intent { id: intent_of(key) }) })
    }

    fn client_secret<'a>(&'a self, intent: &'a str) -> Answer<'a, String> {
        Box::pin(async move { Ok(secret_of(&key_of(intent))) })
    }

    fn confirm<'a>(&'a self, charge: Charge<'a>) -> Answer<'a, ChargeOutcome> {
        Box::pin(async move {
            let key = key_of(charge.intent);
            let Some(method) = charge.method else { return self.complete(key).await };
            let outcome = self.pay(key, charge.key.to_owned(), charge.amount, method.to_owned()).await?;
            if method == LOSES_ITS_ANSWER {
                return Err(ProviderError::AnswerLost("the connection timed out".into()));
            }
            Ok(outcome)
        })
    }

    fn find<'a>(&'a self, intent: &'a str) -> Answer<'a, Option<ChargeOutcome>> {
        let key = key_of(intent);
        Box::pin(async move { self.database.get(move |c| find(c, &key)).await.map_err(unreachable) })
    }

    fn void<'a>(&'a self, intent: &'a str) -> Answer<'a, ChargeOutcome> {
        let (key, now) = (key_of(intent), self.clock.now());
        Box::pin(async move { self.database.write(move |tx| void(tx, &key, now)).await.map_err(unreachable) })
    }

    fn refund<'a>(&'a self, wanted: Refund<'a>) -> Answer<'a, RefundOutcome> {
        let (key, charge, name) = (wanted.key.to_owned(), wanted.charge.to_owned(), self.name_for("re"));
        let (amount, now) = (wanted.amount, self.clock.now());
        Box::pin(async move {
            let done = self.database.write(move |tx| refund(tx, (&key, &charge, &name), amount, now)).await;
            done.map(|refund| RefundOutcome::Done { refund }).map_err(|rejected| match rejected {
                Rejected::Amount => ProviderError::Refused("there is no such captured amount".into()),
                Rejected::Database(error) => unreachable(error),
            })
        })
    }

    fn find_refund<'a>(&'a self, wanted: Refund<'a>) -> Answer<'a, Option<RefundOutcome>> {
        let key = wanted.key.to_owned();
        Box::pin(async move {
            let found = self.database.get(move |connection| refund_of(connection, &key)).await;
            Ok(found.map_err(unreachable)?.map(|refund| RefundOutcome::Done { refund }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_do_what_their_names_say() {
        assert_eq!(Entry::of_method("pm_card_visa"), Entry::Captured);
        assert_eq!(Entry::of_method("pm_card_chargeDeclined"), Entry::Declined);
        assert_eq!(Entry::of_method("pm_card_chargeDeclinedInsufficientFunds"), Entry::Declined);
        assert_eq!(Entry::of_method("pm_card_authenticationRequired"), Entry::Action);
        assert_eq!(Entry::of_method(LOSES_ITS_ANSWER), Entry::Captured);
    }

    #[test]
    fn the_name_of_a_payment_holds_its_key() {
        let key = "order:0198c1a0-0000-7000-8000-000000000000:charge";
        assert_eq!(key_of(&intent_of(key)), key);
        assert!(intent_of(key).starts_with("pi_order_"));
    }
}

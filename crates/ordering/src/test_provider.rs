//! The payment provider `test`, for trying out a shop and for tests.
//!
//! It stands for an outside party. Its ledger lies in tables that nothing else reads or joins, and each of its answers is
//! a transaction of its own, committed before we hear it: a server killed in between finds charges it does not know of,
//! as with a real provider. It lives in the shared database rather than in a file so that every node asks the same one.
//!
//! It understands Stripe's test names: `pm_card_…` pays, `pm_card_chargeDeclined…` declines,
//! `pm_card_authenticationRequired` wants a second step, and `pm_test_timeout` pays but its answer is lost.

use stoa_kernel::{Clock, Id, Money, Random};
use stoa_platform::{
    Platform,
    database::{Connection, Database, DatabaseError, Migration, Tx},
    params,
};

use crate::provider::{Answer, ChargeOutcome, PaymentProvider, ProviderError};

/// The tables of the ledger.
pub(crate) const TEST_PROVIDER_MIGRATION: Migration =
    Migration::shared(31, "test_provider", include_str!("../../../migrations/0031_test_provider.sql"));

/// Charges, but its answer never arrives.
const LOSES_ITS_ANSWER: &str = "pm_test_timeout";

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

    fn outcome(self, charge: String) -> ChargeOutcome {
        match self {
            Self::Captured => ChargeOutcome::Captured { charge },
            Self::Declined => ChargeOutcome::Declined,
            Self::Action => ChargeOutcome::ActionNeeded {
                client_secret: format!("{charge}_secret"),
                kind: "authenticate".into(),
                charge,
            },
            Self::Void => ChargeOutcome::Voided,
        }
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

    async fn open(
        &self,
        key: String,
        amount: Money,
        method: String,
        entry: Entry,
    ) -> Result<ChargeOutcome, ProviderError> {
        let (charge, now) = (self.name_for("ch"), self.clock.now());
        let opened = self.database.write(move |tx| {
            let inserted = tx.execute(
                "INSERT INTO test_provider_charges (key, charge, amount, currency, method, state, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING",
                params![&key, &charge, amount, amount.currency().code(), &method, entry.name(), now],
            )?;
            if inserted == 1 { Ok(Some(entry.outcome(charge.clone()))) } else { find(tx, &key) }
        });
        opened.await.map_err(unreachable)?.ok_or_else(|| {
            ProviderError::Unreachable("the ledger refused an entry that it does not hold".into())
        })
    }
}

fn unreachable(error: DatabaseError) -> ProviderError {
    ProviderError::Unreachable(error.to_string())
}

fn find(connection: &mut Connection<'_>, key: &str) -> Result<Option<ChargeOutcome>, DatabaseError> {
    connection.find("SELECT state, charge FROM test_provider_charges WHERE key = $1", params![key], |row| {
        Ok(row.parse(Entry::parse)?.outcome(row.read()?))
    })
}

fn void(tx: &mut Tx<'_>, key: &str, at: stoa_kernel::Timestamp) -> Result<ChargeOutcome, DatabaseError> {
    tx.execute(
        "INSERT INTO test_provider_charges (key, charge, amount, currency, method, state, created_at)
         VALUES ($1, '', 0, '', '', $2, $3)
         ON CONFLICT (key) DO UPDATE SET state = excluded.state WHERE test_provider_charges.state = 'action'",
        params![key, Entry::Void.name(), at],
    )?;
    find(tx, key)?.ok_or_else(|| DatabaseError::Defect("the ledger lost an entry".into()))
}

fn refund(
    tx: &mut Tx<'_>,
    (key, charge, refund): (&str, &str, &str),
    amount: Money,
    at: stoa_kernel::Timestamp,
) -> Result<(), Rejected> {
    let fresh = tx.execute(
        "INSERT INTO test_provider_refunds (key, charge_key, refund, amount, created_at)
         SELECT $1, charges.key, $3, CAST($4 AS BIGINT), $5 FROM test_provider_charges AS charges
         WHERE charges.charge = $2 AND charges.state = 'captured' AND charges.refunded + CAST($4 AS BIGINT) <= charges.amount
         ON CONFLICT (key) DO NOTHING",
        params![key, charge, refund, amount, at],
    )?;
    if fresh == 1 {
        tx.execute(
            "UPDATE test_provider_charges SET refunded = refunded + CAST($2 AS BIGINT) WHERE charge = $1",
            params![charge, amount],
        )?;
        return Ok(());
    }
    let known =
        tx.find("SELECT 1 FROM test_provider_refunds WHERE key = $1", params![key], |row| row.read::<i64>())?;
    if known.is_some() { Ok(()) } else { Err(Rejected::Amount) }
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

    fn charge<'a>(&'a self, key: &'a str, amount: Money, method: &'a str) -> Answer<'a, ChargeOutcome> {
        Box::pin(async move {
            let outcome =
                self.open(key.to_owned(), amount, method.to_owned(), Entry::of_method(method)).await?;
            if method == LOSES_ITS_ANSWER {
                return Err(ProviderError::AnswerLost("the connection timed out".into()));
            }
            Ok(outcome)
        })
    }

    fn find<'a>(&'a self, key: &'a str) -> Answer<'a, Option<ChargeOutcome>> {
        let key = key.to_owned();
        Box::pin(async move { self.database.get(move |c| find(c, &key)).await.map_err(unreachable) })
    }

    fn void<'a>(&'a self, key: &'a str) -> Answer<'a, ChargeOutcome> {
        let (key, now) = (key.to_owned(), self.clock.now());
        Box::pin(async move { self.database.write(move |tx| void(tx, &key, now)).await.map_err(unreachable) })
    }

    fn refund<'a>(&'a self, key: &'a str, charge: &'a str, amount: Money) -> Answer<'a, ()> {
        let (key, charge, name) = (key.to_owned(), charge.to_owned(), self.name_for("re"));
        let now = self.clock.now();
        Box::pin(async move {
            let done = self.database.write(move |tx| refund(tx, (&key, &charge, &name), amount, now)).await;
            done.map_err(|rejected| match rejected {
                Rejected::Amount => ProviderError::Refused("there is no such captured amount".into()),
                Rejected::Database(error) => unreachable(error),
            })
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
}

//! `stoa seed`: fills the database with a demo shop. Runs again where an earlier run was cut off; what is there already is
//! left alone.

use std::{process::ExitCode, time::Duration};

use stoa_accounts::{Accounts, EmailAddress, HashedPassword};
use stoa_catalog::{Catalogue, NewCategory, Slug, begin_bulk_load, end_bulk_load};
use stoa_contracts::catalog::{Catalog, ProductId, Ware};
use stoa_kernel::{Clock, Currency, Flaw, Id, Random, Refusal, Timestamp};
use stoa_platform::{
    Occasion,
    database::{Connection, Database, DatabaseError, Tx},
};

use super::{CommandError, demo, terminal, with_domains};
use crate::{settings::Settings, wiring::Domains};

const ADMIN: (&str, &str) = ("admin@demo.stoa", "Demo Admin");
const SHOPPERS: [(&str, &str); 3] =
    [("ada@demo.stoa", "Ada Demo"), ("ben@demo.stoa", "Ben Demo"), ("chloe@demo.stoa", "Chloe Demo")];
/// Everybody's password; known to everybody who reads the documentation.
const PASSWORD: &str = "Demo-Shop-1";

/// The products are as old as this, so that the demo shop has the same ids everywhere: 2025-06-01, 8 o'clock.
const OPENING: Timestamp = Timestamp::from_seconds(1_748_764_800);
/// Products to a transaction.
const SLICE: u32 = 10_000;
/// From here on it is quicker to make the indexes of lists after the products.
const BULK: u32 = 20_000;

pub(super) fn run(settings: Settings, products: u32, yes: bool) -> Result<ExitCode, CommandError> {
    let (currency, production) = (settings.currency, settings.environment == "production");
    with_domains(settings, async |platform, Domains { accounts, catalogue, .. }| {
        let seeder = Seeder { database: platform.database, catalogue: (*catalogue).clone(), currency };
        let is_demo = seeder.is_demo(production, yes).await?;
        let missing = seeder.missing(products).await?;
        if is_demo && missing.is_empty() {
            terminal::line(format_args!("already seeded with {products} products"))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !is_demo {
            let password = accounts.hash_password(PASSWORD).await.map_err(Refusal::from)?;
            seeder.open_shop(&platform.clock, password).await?;
        }
        seeder.fill(&missing, products).await?;
        tell(products)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The demo shop's own words break a rule of the shop: a defect.
fn refused(flaw: Flaw) -> Refusal {
    Refusal::internal(flaw.message)
}

fn tell(products: u32) -> Result<(), CommandError> {
    terminal::line(format_args!("seeded {products} products in {} categories", demo::categories().count()))?;
    terminal::line(format_args!("admin    {}", ADMIN.0))?;
    for (email, _) in SHOPPERS {
        terminal::line(format_args!("shopper  {email}"))?;
    }
    terminal::line(format_args!("password {PASSWORD} (of each; everybody knows it)"))?;
    Ok(())
}

/// Some products in a row, made in one transaction.
#[derive(Clone, Copy, Debug)]
struct Slice {
    first: u32,
    count: u32,
}

impl Slice {
    fn all(products: u32) -> impl Iterator<Item = Self> {
        (0..products.div_ceil(SLICE))
            .map(move |slice| slice * SLICE)
            .map(move |first| Self { first, count: SLICE.min(products - first) })
    }

    /// The id of the product that a larger shop has beyond so many.
    fn next_after(products: u32) -> ProductId {
        let first = products - products % SLICE;
        let [_, id] = Self { first, count: products - first + 1 }.ends();
        id
    }

    /// Its own randomness, so that its ids do not depend on what was made before.
    fn occasion(self) -> Occasion {
        Occasion {
            at: OPENING + Duration::from_micros(self.first.into()),
            actor: "system:seed".into(),
            random: Random::seeded(self.first.into()),
            trace: None,
        }
    }

    /// The ids of its first and its last product.
    fn ends(self) -> [ProductId; 2] {
        let occasion = self.occasion();
        let id = |age| Id::new(occasion.at + Duration::from_micros(age), &occasion.random);
        let first = id(0);
        // Every one of them is drawn, for each moves the randomness on.
        [first, (1..u64::from(self.count)).fold(first, |_, age| id(age))]
    }
}

fn other_number() -> CommandError {
    let told = "this database was seeded with another number of products; seed an empty one instead";
    CommandError::Usage(told.into())
}

struct Seeder {
    database: Database,
    catalogue: Catalogue,
    currency: Currency,
}

impl Seeder {
    /// Whether this is the demo shop already. Somebody else's shop is left alone unless they say yes.
    async fn is_demo(&self, production: bool, yes: bool) -> Result<bool, CommandError> {
        let look = |c: &mut Connection<'_>| {
            let admin = EmailAddress::parse(ADMIN.0).map_err(refused)?;
            Ok::<_, Refusal>((Accounts::has_address(c, &admin)?, Accounts::has_users(c)?))
        };
        let (is_demo, has_users) = self.database.read(look).await?;
        let told = match (is_demo || yes, has_users, production) {
            (true, ..) | (_, false, false) => return Ok(is_demo),
            (_, true, _) => {
                "this database has users, so it is no place for a demo shop; --yes fills it all the same"
            }
            (_, _, true) => {
                "STOA_ENVIRONMENT is production, and everybody knows the demo admin's password; --yes fills it all the same"
            }
        };
        Err(CommandError::Usage(told.into()))
    }

    /// What an earlier run did not come to. Refused when that was about another number of products.
    async fn missing(&self, products: u32) -> Result<Vec<Slice>, CommandError> {
        let mut missing = Vec::new();
        for slice in Slice::all(products) {
            match self.are_there(slice.ends()).await? {
                [true, true] => {}
                [false, false] => missing.push(slice),
                _ => return Err(other_number()),
            }
        }
        match self.are_there([Slice::next_after(products); 2]).await? {
            [true, _] => Err(other_number()),
            _ => Ok(missing),
        }
    }

    async fn are_there(&self, ids: [ProductId; 2]) -> Result<[bool; 2], CommandError> {
        let catalogue = self.catalogue.clone();
        let look = move |c: &mut Connection<'_>| {
            let found = catalogue.sellables(c, &ids.map(Ware::Product))?;
            Ok(ids.map(|id| found.iter().any(|product| product.ware == Ware::Product(id))))
        };
        Ok(self.database.read::<_, DatabaseError, _>(look).await?)
    }

    /// The people and the categories.
    async fn open_shop(&self, clock: &Clock, password: HashedPassword) -> Result<(), CommandError> {
        let occasion = Occasion::system(clock, &Random::system(), "seed");
        let catalogue = self.catalogue.clone();
        let open = move |tx: &mut Tx<'_>| {
            Accounts::insert_user(tx, &occasion, "admin", ADMIN.0, ADMIN.1, &password)?;
            for (email, name) in SHOPPERS {
                Accounts::insert_user(tx, &occasion, "user", email, name, &password)?;
            }
            for name in demo::categories() {
                let slug =
                    Slug::of_name(name).ok_or_else(|| Refusal::internal("a category without a slug"))?;
                catalogue.create_category(
                    tx,
                    &occasion,
                    &NewCategory { name: name.into(), slug, parent: None },
                )?;
            }
            Ok::<_, Refusal>(())
        };
        Ok(self.database.write(open).await?)
    }

    async fn fill(&self, missing: &[Slice], products: u32) -> Result<(), CommandError> {
        if products >= BULK {
            self.database.write::<_, DatabaseError, _>(begin_bulk_load).await?;
        }
        for slice in missing {
            self.fill_slice(*slice).await?;
            let made = slice.first + slice.count;
            if products >= BULK && made % 100_000 == 0 {
                terminal::complain(format_args!("{made} of {products} products"));
            }
        }
        // Also after a small load: an earlier one may have been cut off before it came to this.
        Ok(self.database.write::<_, DatabaseError, _>(end_bulk_load).await?)
    }

    async fn fill_slice(&self, Slice { first, count }: Slice) -> Result<(), CommandError> {
        let goods: Result<Vec<_>, Flaw> =
            (first..first + count).map(|number| demo::product(number, self.currency)).collect();
        let goods = goods.map_err(refused)?;
        let catalogue = self.catalogue.clone();
        let fill = move |tx: &mut Tx<'_>| {
            // Made here and not outside: the transaction may run again, with the same ids.
            catalogue.seed_products(tx, &Slice { first, count }.occasion(), &goods).map(drop)
        };
        Ok(self.database.write::<_, DatabaseError, _>(fill).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_every_product_once() {
        let slices: Vec<_> = Slice::all(25_000).map(|slice| (slice.first, slice.count)).collect();
        assert_eq!(slices, [(0, 10_000), (10_000, 10_000), (20_000, 5_000)]);
        assert_eq!(Slice::all(1).count(), 1);
    }

    #[test]
    fn ids_are_the_same_every_time_and_differ_between_slices() {
        let [one, other] = [Slice { first: 0, count: 200 }, Slice { first: SLICE, count: 200 }];
        assert_eq!(one.ends(), one.ends());
        assert_ne!(one.ends(), other.ends());
        assert_eq!(Slice::next_after(199), one.ends()[1]);
        assert_eq!(Slice::next_after(SLICE), other.ends()[0]);
        let [only, same] = Slice { first: 0, count: 1 }.ends();
        assert_eq!(only, same);
    }
}

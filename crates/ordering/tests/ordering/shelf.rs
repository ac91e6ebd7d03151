//! A catalogue of one table, and users who are who they say.

use std::collections::HashMap;

use stoa_contracts::{
    accounts::{Accounts, Contact},
    catalog::{Catalog, ProductId, Quantity, Sellable, StockError},
};
use stoa_kernel::{Currency, Money, UserId};
use stoa_platform::{
    Occasion,
    database::{Connection, DatabaseError, Migration, Tx, Value, placeholders},
    params,
};

pub(crate) const SHELF: Migration = Migration::shared(
    9_000,
    "shelf",
    "CREATE TABLE shelf (id UUID PRIMARY KEY, name TEXT NOT NULL, price BIGINT NOT NULL, stock BIGINT NOT NULL,
     active BOOLEAN NOT NULL);",
);

pub(crate) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(crate) struct Shelf;

impl Catalog for Shelf {
    fn sellables(
        &self,
        connection: &mut Connection<'_>,
        wanted: &[ProductId],
    ) -> Result<Vec<Sellable>, DatabaseError> {
        let sql = format!(
            "SELECT id, name, price, stock, active FROM shelf WHERE id IN ({})",
            placeholders(1, wanted.len())
        );
        let values: Vec<_> = wanted.iter().map(|id| Value::from(*id)).collect();
        connection.query(&sql, &values, |row| {
            Ok(Sellable {
                id: row.read()?,
                name: row.read()?,
                price: Money::from_minor(row.read()?, usd()),
                stock: row.read()?,
                active: row.read()?,
            })
        })
    }

    fn take_stock(&self, tx: &mut Tx<'_>, _: &Occasion, pieces: &[Quantity]) -> Result<(), StockError> {
        let mut pieces = pieces.to_vec();
        pieces.sort_by_key(|quantity| quantity.product);
        for Quantity { product, pieces } in pieces {
            let taken = tx.execute(
                "UPDATE shelf SET stock = stock - CAST($2 AS BIGINT) WHERE id = $1 AND stock >= $2",
                params![product, pieces],
            )?;
            if taken == 0 {
                let sql = "SELECT stock FROM shelf WHERE id = $1";
                let available = tx.find(sql, params![product], |row| row.read())?;
                let available = available.ok_or(StockError::NotOffered(product))?;
                return Err(StockError::Insufficient { product, available, requested: pieces });
            }
        }
        Ok(())
    }

    fn return_stock(&self, tx: &mut Tx<'_>, _: &Occasion, pieces: &[Quantity]) -> Result<(), DatabaseError> {
        for Quantity { product, pieces } in pieces {
            let sql = "UPDATE shelf SET stock = stock + CAST($2 AS BIGINT) WHERE id = $1";
            tx.execute(sql, params![*product, *pieces])?;
        }
        Ok(())
    }
}

/// Users by id.
pub(crate) struct Users(pub(crate) HashMap<UserId, Contact>);

impl Accounts for Users {
    fn contact(&self, _: &mut Connection<'_>, user: UserId) -> Result<Option<Contact>, DatabaseError> {
        Ok(self.0.get(&user).cloned())
    }
}

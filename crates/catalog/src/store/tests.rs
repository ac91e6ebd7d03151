//! The store on every engine: what it keeps, how it lists, and that races end as they must.

mod lists;
mod offers;
mod packages;
mod search;
mod stock;
mod variants;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use stoa_contracts::{
    catalog::{Catalog, ProductId, Quantity, StockChanged, StockError, Unpacked, VariantId, Ware},
    chat::MessageId,
    files::{Carried, FileId, FileView, Files, OwnedFile},
};
use stoa_http::IfMatch;
use stoa_kernel::{Currency, ManualClock, Money, Page, PageRequest, Position, Random, SortOrder, Timestamp};
use stoa_platform::{
    Occasion,
    cache::Cache,
    database::{Connection, Database, DatabaseError, Engine, Migration, Tx},
    each_engine,
    events::Event,
    testing::TestDatabase,
};

use super::{categories::CategoryName, pages};
use crate::{
    CatalogError, CatalogSettings, Catalogue, Inner, NewCategory, NewProduct, Product, ProductStatus, Slug,
    begin_bulk_load,
    category::CategoryChanges,
    end_bulk_load,
    listing::{Listing, SortKey},
    search::Asked,
    stock::Adjustment,
    update_product::ProductChanges,
};

const TABLES: &[Migration] = &[
    stoa_platform::MIGRATIONS[0],
    stoa_platform::MIGRATIONS[1],
    stoa_platform::MIGRATIONS[4],
    crate::MIGRATIONS[0],
    crate::MIGRATIONS[1],
    crate::MIGRATIONS[2],
    crate::MIGRATIONS[3],
    crate::MIGRATIONS[4],
    crate::MIGRATIONS[5],
    crate::MIGRATIONS[6],
    crate::MIGRATIONS[7],
];

/// A shop on a test's database, at a time that stands still.
#[derive(Clone)]
struct Shop {
    catalogue: Catalogue,
    database: Database,
    clock: ManualClock,
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

/// A shop whose products are shown by addresses alone.
struct NoFiles;

impl Files for NoFiles {
    fn files(&self, _: &mut Connection<'_>, _: &[FileId]) -> Result<Vec<OwnedFile>, DatabaseError> {
        Ok(Vec::new())
    }

    fn hold(&self, _: &mut Tx<'_>, _: &[FileId]) -> Result<Vec<OwnedFile>, DatabaseError> {
        Ok(Vec::new())
    }

    fn of_messages(
        &self,
        _: &mut Connection<'_>,
        _: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<FileView>>, DatabaseError> {
        Ok(HashMap::new())
    }

    fn carry(&self, _: &mut Tx<'_>, _: &[Carried]) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn let_go(&self, _: &mut Tx<'_>, _: &Occasion, _: &[MessageId]) -> Result<(), DatabaseError> {
        Ok(())
    }
}

fn shop(db: &TestDatabase) -> Shop {
    let clock = ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000));
    let database = db.open();
    let inner = Inner {
        database: database.clone(),
        clock: clock.clock(),
        random: Random::seeded(7),
        cache: Cache::off(),
        settings: CatalogSettings::of(usd()),
        files: Arc::new(NoFiles),
        import_place: Arc::new(tokio::sync::Semaphore::new(1)),
    };
    Shop { catalogue: Catalogue(Arc::new(inner)), database, clock }
}

/// An ACTIVE product.
fn offered(name: &str, cents: i64, stock: i64, category: &str) -> NewProduct {
    let price = Money::from_minor(cents, usd());
    let new = NewProduct::draft(name, price, Slug::parse(category).unwrap()).unwrap();
    new.stocked(stock).unwrap().with_status(ProductStatus::Active)
}

impl Shop {
    fn occasion(&self) -> Occasion {
        Occasion::system(&self.clock.clock(), &self.catalogue.0.random, "test")
    }

    /// Runs a use case in a transaction.
    async fn does<T: Send + 'static, E: From<DatabaseError> + Send + 'static>(
        &self,
        deed: impl Fn(&Catalogue, &mut stoa_platform::database::Tx<'_>, &Occasion) -> Result<T, E>
        + Send
        + 'static,
    ) -> Result<T, E> {
        let (catalogue, occasion) = (self.catalogue.clone(), self.occasion());
        self.database.write(move |tx| deed(&catalogue, tx, &occasion)).await
    }

    async fn makes(&self, new: NewProduct) -> Product {
        self.clock.advance(Duration::from_millis(1));
        self.does(move |shop, tx, occasion| shop.create_product(tx, occasion, &new)).await.unwrap()
    }

    async fn takes(&self, product: ProductId, pieces: i64) -> Result<Vec<Unpacked>, StockError> {
        self.buys(vec![(Ware::Product(product), pieces)]).await
    }

    /// Takes stock of several wares at once.
    async fn buys(&self, wanted: Vec<(Ware, i64)>) -> Result<Vec<Unpacked>, StockError> {
        let wanted: Vec<_> = wanted.into_iter().map(|(ware, pieces)| Quantity { ware, pieces }).collect();
        self.does(move |shop, tx, occasion| shop.take_stock(tx, occasion, &wanted)).await
    }

    /// The pieces of a variant.
    async fn left_of(&self, product: ProductId, variant: VariantId) -> i64 {
        let product = self.finds(product).await.unwrap();
        product.variants.iter().find(|known| known.id == variant).unwrap().stock
    }

    async fn changes(&self, id: ProductId, changes: ProductChanges) -> Result<Product, CatalogError> {
        let any = IfMatch::default();
        self.does(move |shop, tx, occasion| shop.update_product(tx, occasion, (id, &any), &changes)).await
    }

    async fn adjusts(&self, id: ProductId, change: i64) -> Result<Product, CatalogError> {
        self.adjusts_shelf((id, None), change).await
    }

    async fn adjusts_shelf(
        &self,
        (id, variant): (ProductId, Option<VariantId>),
        change: i64,
    ) -> Result<Product, CatalogError> {
        let (any, adjustment) = (IfMatch::default(), Adjustment { variant, change });
        self.does(move |shop, tx, occasion| shop.adjust_stock(tx, occasion, (id, &any), adjustment)).await
    }

    async fn finds(&self, id: ProductId) -> Option<Product> {
        let found =
            self.database.read(move |connection| super::products::find(connection, id, usd())).await.unwrap();
        let written =
            self.database.read(move |connection| super::written::find(connection, id, usd())).await.unwrap();
        assert_eq!(
            written.map(|written| (written.status, written.version, written.as_ref().to_vec())),
            found.as_ref().map(|found: &Product| (
                found.status,
                found.version,
                serde_json::to_vec(found).unwrap()
            ))
        );
        found
    }

    async fn lists(&self, listing: &Listing, request: &PageRequest) -> Page<Product> {
        let (wanted, asked) = (listing.clone(), request.clone());
        let after = listing.after(request).unwrap();
        let read = move |connection: &mut Connection<'_>| {
            pages::page(connection, &wanted, (&asked, after.as_ref()), usd())
        };
        let page: Page<Product> = self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        self.is_written_alike(listing, request, &page).await;
        page
    }

    /// What is written row by row is what a product says of itself.
    async fn is_written_alike(&self, listing: &Listing, request: &PageRequest, page: &Page<Product>) {
        let (listing, request) = (listing.clone(), request.clone());
        let after = listing.after(&request).unwrap();
        let read = move |connection: &mut Connection<'_>| {
            pages::page_written(connection, &listing, (&request, after.as_ref()), usd())
        };
        let written = self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        let texts =
            written.entries.iter().map(|entry| std::str::from_utf8(entry.as_ref()).unwrap().to_owned());
        let expected = page.entries.iter().map(|product| serde_json::to_string(product).unwrap());
        assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        assert_eq!((written.next, written.total), (page.next.clone(), page.total));
    }

    /// The names of a whole list, read page by page.
    async fn names(&self, listing: &Listing, limit: u32) -> Vec<String> {
        let mut names = Vec::new();
        let mut request = PageRequest::first(limit);
        loop {
            let page = self.lists(listing, &request).await;
            names.extend(page.entries.into_iter().map(|product| product.name));
            let Some(next) = page.next else { return names };
            request.position = Position::After(next);
        }
    }

    /// The types of the events told so far, with how often.
    async fn told(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT type, COUNT(*) FROM events GROUP BY type";
        let read = move |connection: &mut Connection<'_>| {
            connection.query(sql, &[], |row| Ok((row.read::<String>()?, row.read::<i64>()?)))
        };
        self.database.read::<_, DatabaseError, _>(read).await.unwrap().into_iter().collect()
    }

    /// Fails unless every product's movements add up to its stock, and to nothing where there is no product; and the same
    /// for every shelf, which is a variant, or a product without any.
    async fn books_agree(&self) {
        let wrong = "SELECT CAST(COALESCE(moved.total, 0) AS BIGINT), COALESCE(products.stock, 0)
             FROM (SELECT product_id, SUM(change) AS total FROM stock_movements GROUP BY product_id) AS moved
             FULL JOIN products ON products.id = moved.product_id
             WHERE COALESCE(moved.total, 0) <> COALESCE(products.stock, 0)";
        let wrong_shelves = "SELECT CAST(COALESCE(moved.total, 0) AS BIGINT), COALESCE(shelves.stock, 0)
             FROM (SELECT product_id, variant_id, SUM(change) AS total FROM stock_movements
                   GROUP BY product_id, variant_id) AS moved
             LEFT JOIN (SELECT id AS product_id, id AS shelf, stock FROM products WHERE variant_count = 0
                        UNION ALL SELECT product_id, id, stock FROM variants) AS shelves
             ON shelves.product_id = moved.product_id
                AND shelves.shelf = COALESCE(moved.variant_id, moved.product_id)
             WHERE COALESCE(moved.total, 0) <> COALESCE(shelves.stock, 0)";
        let wrong_sums = "SELECT products.stock, CAST(SUM(variants.stock) AS BIGINT)
             FROM products JOIN variants ON variants.product_id = products.id
             GROUP BY products.id, products.stock, products.variant_count
             HAVING SUM(variants.stock) <> products.stock OR COUNT(*) <> products.variant_count";
        for wrong in [wrong, wrong_shelves, wrong_sums] {
            let read = move |connection: &mut Connection<'_>| {
                connection.query(wrong, &[], |row| Ok((row.read::<i64>()?, row.read::<i64>()?)))
            };
            assert_eq!(self.database.read::<_, DatabaseError, _>(read).await.unwrap(), [], "{wrong}");
        }
        self.log_agrees().await;
    }

    /// Fails unless each movement is told of once, but for those that products are made with; a product's events are in
    /// the order of its versions; and the last that tells of its stock tells what there is.
    async fn log_agrees(&self) {
        let of_a_shelf = |product: ProductId, variant: Option<VariantId>, change: i64, reason: &str| {
            format!("{product} {variant:?} {change} {reason}")
        };
        let moved = "SELECT product_id, variant_id, change, reason FROM stock_movements
             WHERE variant_id IS NOT NULL OR reason NOT IN ('created', 'seeded')";
        let read = move |connection: &mut Connection<'_>| {
            connection.query(moved, &[], |row| {
                Ok(of_a_shelf(row.read()?, row.read()?, row.read()?, &row.read::<String>()?))
            })
        };
        let mut moved = self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        let order = if self.database.engine() == Engine::Postgres { "ident" } else { "pos" };
        let log = format!("SELECT aggregate, version, type, payload FROM events ORDER BY {order}");
        let read = move |connection: &mut Connection<'_>| {
            connection.query(&log, &[], |row| Ok((row.read()?, row.read()?, row.read()?, row.read()?)))
        };
        let log: Vec<(String, i64, String, String)> =
            self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        let (mut told, mut versions, mut left) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (aggregate, version, kind, payload) in log {
            let before = versions.insert(aggregate.clone(), version).unwrap_or_default();
            assert!(before <= version, "{kind} of {aggregate} is of version {version} after {before}");
            if kind == StockChanged::TYPE {
                let event: StockChanged = serde_json::from_str(&payload).unwrap();
                told.push(of_a_shelf(event.product_id, event.variant_id, event.change, &event.reason));
                left.insert(event.product_id, event.product_stock);
            }
        }
        moved.sort();
        told.sort();
        assert_eq!(told, moved);
        for (product, told) in left {
            let known = self.finds(product).await.map_or(0, |product| product.stock);
            assert_eq!(told, known, "of product {product}");
        }
    }
}

fn everything(sort: SortKey, order: SortOrder) -> Listing {
    Listing {
        statuses: ProductStatus::ALL.to_vec(),
        category: None,
        min_price: None,
        max_price: None,
        in_stock: None,
        words: None,
        sort,
        order,
    }
}

each_engine! { TABLES;

async fn a_product_is_kept_as_it_was_made(db: TestDatabase) {
    let shop = shop(&db);
    let new = offered("Café 😀", 1_999, 3, "home").described("x\u{1F4A1}").unwrap();
    let new = new.pictured(&["/a.png".into()]).unwrap().reduced_from(Money::from_minor(2_500, usd()));
    let made = shop.makes(new).await;
    let found = shop.finds(made.id).await.unwrap();
    assert_eq!(serde_json::to_string(&made).unwrap(), serde_json::to_string(&found).unwrap());
    assert_eq!((found.version, found.compare_at_price.unwrap().minor()), (1, 2_500));
    assert_eq!(shop.told().await, BTreeMap::from([("product.created".to_owned(), 1)]));
    shop.books_agree().await;
}

async fn a_change_leaves_the_rest_and_is_told(db: TestDatabase) {
    let shop = shop(&db);
    let made = shop.makes(offered("Lamp", 100, 30, "home")).await;
    let changes = ProductChanges { stock: Some(4), name: Some("LED".into()), ..ProductChanges::default() };
    let changed = shop.changes(made.id, changes).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.stock, changed.version), ("LED", 4, 2));
    assert_eq!((changed.price, changed.status), (made.price, made.status));
    assert_eq!(shop.finds(made.id).await.unwrap().name, "LED");
    let same = shop.changes(made.id, ProductChanges::default()).await.unwrap();
    assert_eq!(same.version, 2, "no change is no version");
    let told = shop.told().await;
    assert_eq!((told["product.updated"], told["product.low_stock"]), (1, 1));
    let named = Listing { words: Some(Asked::of("led")), ..everything(SortKey::Name, SortOrder::Asc) };
    assert_eq!(shop.names(&named, 9).await, ["LED"]);
    shop.books_agree().await;
}

async fn what_is_deleted_is_gone_and_accounted_for(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 7, "home")).await.id;
    let delete = || shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, lamp, &IfMatch::default()));
    delete().await.unwrap();
    assert!(shop.finds(lamp).await.is_none());
    assert!(matches!(delete().await.unwrap_err(), CatalogError::UnknownProduct));
    assert_eq!(shop.told().await["product.deleted"], 1);
    shop.books_agree().await;
}

async fn a_load_of_many_products_is_listed_and_accounted_for(db: TestDatabase) {
    let shop = shop(&db);
    shop.database.write(begin_bulk_load).await.unwrap();
    let new: Vec<_> = (0..1_234).map(|number| offered(&format!("P{number:04}"), number, number % 3, "home")).collect();
    let ids = shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    shop.database.write(end_bulk_load).await.unwrap();
    shop.database.write(end_bulk_load).await.unwrap();
    assert_eq!(ids.len(), 1_234);
    let newest = shop.names(&everything(SortKey::CreatedAt, SortOrder::Desc), 100).await;
    assert_eq!((newest.len(), newest[0].as_str(), newest[1_233].as_str()), (1_234, "P1233", "P0000"));
    assert_eq!(shop.told().await, BTreeMap::from([("catalog.seeded".to_owned(), 1)]));
    shop.books_agree().await;
}

async fn categories_make_a_tree(db: TestDatabase) {
    let shop = shop(&db);
    let make = |name: &str, slug: &str, parent| {
        let new = NewCategory { name: name.into(), slug: Slug::parse(slug).unwrap(), parent };
        shop.does(move |shop, tx, occasion| shop.create_category(tx, occasion, &new))
    };
    let home = make("Home", "home", None).await.unwrap();
    let lamps = make("Lamps", "lamps", Some(home.id)).await.unwrap();
    assert!(matches!(make("Other", "home", None).await.unwrap_err(), CatalogError::SlugTaken));
    let nobody = shop.occasion().id();
    let unknown = make("X", "x", Some(nobody)).await.unwrap_err();
    assert!(matches!(unknown, CatalogError::Field("parentId", "UNKNOWN", _)), "{unknown}");

    let change = |name: CategoryName, changes: CategoryChanges| {
        shop.does(move |shop, tx, occasion| shop.update_category(tx, occasion, &name, &changes))
    };
    let under_lamps = CategoryChanges { parent: Some(Some(lamps.id)), ..CategoryChanges::default() };
    let looped = change(CategoryName::of("home"), under_lamps).await.unwrap_err();
    assert!(matches!(looped, CatalogError::Field("parentId", "LOOP", _)), "{looped}");
    let renamed = CategoryChanges { name: Some("Lights".into()), ..CategoryChanges::default() };
    let lights = change(CategoryName::Id(lamps.id), renamed).await.unwrap();
    assert_eq!((lights.name.as_str(), lights.slug.as_str()), ("Lights", "lamps"));

    let delete = |name: &str| {
        let name = CategoryName::of(name);
        shop.does(move |shop, tx, occasion| shop.delete_category(tx, occasion, &name))
    };
    assert!(matches!(delete("home").await.unwrap_err(), CatalogError::CategoryInUse));
    let lamp = shop.makes(offered("Lamp", 1, 1, "lamps").with_status(ProductStatus::Archived)).await.id;
    assert!(matches!(delete("lamps").await.unwrap_err(), CatalogError::CategoryInUse));
    let moved = CategoryChanges { slug: Some(Slug::parse("lights").unwrap()), ..CategoryChanges::default() };
    assert!(matches!(change(CategoryName::of("lamps"), moved).await.unwrap_err(), CatalogError::CategoryInUse));
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, lamp, &IfMatch::default())).await.unwrap();
    delete("lamps").await.unwrap();
    delete("home").await.unwrap();
    assert!(matches!(delete("home").await.unwrap_err(), CatalogError::UnknownCategory));
    assert_eq!(shop.told().await["category.deleted"], 2);
}

async fn race_of_two_moves_makes_no_loop(db: TestDatabase) {
    let shop = shop(&db);
    for round in 0..10 {
        let mut ids = Vec::new();
        for side in ["a", "b"] {
            let slug = Slug::parse(&format!("{side}{round}")).unwrap();
            let new = NewCategory { name: side.into(), slug, parent: None };
            let made = shop.does(move |shop, tx, occasion| shop.create_category(tx, occasion, &new)).await;
            ids.push(made.unwrap().id);
        }
        let move_under = |category, parent| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let changes = CategoryChanges { parent: Some(Some(parent)), ..CategoryChanges::default() };
                let name = CategoryName::Id(category);
                shop.does(move |shop, tx, occasion| shop.update_category(tx, occasion, &name, &changes)).await
            })
        };
        let (one, other) = (move_under(ids[0], ids[1]), move_under(ids[1], ids[0]));
        let moved = [one.await.unwrap().is_ok(), other.await.unwrap().is_ok()];
        assert_eq!(moved.iter().filter(|moved| **moved).count(), 1, "round {round}");
    }
}

}

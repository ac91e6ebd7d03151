//! The store on every engine: what it keeps, how it lists, and that races end as they must.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use stoa_contracts::catalog::{Catalog, ProductId, Quantity, StockError};
use stoa_http::IfMatch;
use stoa_kernel::{Currency, ManualClock, Money, Page, PageRequest, Position, Random, SortOrder, Timestamp};
use stoa_platform::{
    Occasion,
    cache::Cache,
    database::{Connection, Database, DatabaseError, Engine, Migration},
    each_engine,
    testing::TestDatabase,
};

use super::{categories::CategoryName, pages};
use crate::{
    CatalogError, CatalogSettings, Catalogue, Inner, NewCategory, NewProduct, Product, ProductStatus, Slug,
    begin_bulk_load,
    category::CategoryChanges,
    end_bulk_load,
    listing::{Listing, SortKey},
    update_product::ProductChanges,
};

const TABLES: &[Migration] =
    &[stoa_platform::MIGRATIONS[0], stoa_platform::MIGRATIONS[1], crate::MIGRATIONS[0], crate::MIGRATIONS[1]];

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

fn shop(db: &TestDatabase) -> Shop {
    let clock = ManualClock::starting_at(Timestamp::from_seconds(1_700_000_000));
    let database = db.open();
    let inner = Inner {
        database: database.clone(),
        clock: clock.clock(),
        random: Random::seeded(7),
        cache: Cache::off(),
        settings: CatalogSettings::of(usd()),
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

    async fn takes(&self, product: ProductId, pieces: i64) -> Result<(), StockError> {
        let pieces = [Quantity { product, pieces }];
        self.does(move |shop, tx, occasion| shop.take_stock(tx, occasion, &pieces)).await
    }

    async fn changes(&self, id: ProductId, changes: ProductChanges) -> Result<Product, CatalogError> {
        let any = IfMatch::default();
        self.does(move |shop, tx, occasion| shop.update_product(tx, occasion, (id, &any), &changes)).await
    }

    async fn adjusts(&self, id: ProductId, change: i64) -> Result<Product, CatalogError> {
        let any = IfMatch::default();
        self.does(move |shop, tx, occasion| shop.adjust_stock(tx, occasion, (id, &any), change)).await
    }

    async fn finds(&self, id: ProductId) -> Option<Product> {
        self.database.read(move |connection| super::products::find(connection, id, usd())).await.unwrap()
    }

    async fn lists(&self, listing: &Listing, request: &PageRequest) -> Page<Product> {
        let (listing, request) = (listing.clone(), request.clone());
        let after = listing.after(&request).unwrap();
        let read = move |connection: &mut Connection<'_>| {
            pages::page(connection, &listing, (&request, after.as_ref()), usd())
        };
        self.database.read::<_, DatabaseError, _>(read).await.unwrap()
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

    /// Fails unless every product's movements add up to its stock, and to nothing where there is no product.
    async fn books_agree(&self) {
        let wrong = "SELECT CAST(COALESCE(moved.total, 0) AS BIGINT), COALESCE(products.stock, 0)
             FROM (SELECT product_id, SUM(change) AS total FROM stock_movements GROUP BY product_id) AS moved
             FULL JOIN products ON products.id = moved.product_id
             WHERE COALESCE(moved.total, 0) <> COALESCE(products.stock, 0)";
        let read = move |connection: &mut Connection<'_>| {
            connection.query(wrong, &[], |row| Ok((row.read::<i64>()?, row.read::<i64>()?)))
        };
        assert_eq!(self.database.read::<_, DatabaseError, _>(read).await.unwrap(), []);
    }
}

fn everything(sort: SortKey, order: SortOrder) -> Listing {
    Listing {
        statuses: ProductStatus::ALL.to_vec(),
        category: None,
        min_price: None,
        max_price: None,
        in_stock: None,
        words: Vec::new(),
        sort,
        order,
    }
}

/// Two dozen products of every status, some of the same price, some sold out.
async fn stocked_shop(db: &TestDatabase) -> Shop {
    let shop = shop(db);
    for number in 0..24_i64 {
        let name = format!("{} {number:02}", if number % 3 == 0 { "Lamp" } else { "chair" });
        let category = if number % 2 == 0 { "home" } else { "garden" };
        let new = offered(&name, 100 * (number % 5), number % 4, category);
        shop.makes(new.with_status(ProductStatus::ALL[usize::try_from(number % 4).unwrap()])).await;
    }
    shop
}

/// What the list should be, by sorting and filtering everything here.
fn expected(all: &[Product], listing: &Listing) -> Vec<String> {
    let fits = |product: &&Product| {
        let folded = product.name.to_lowercase();
        listing.statuses.contains(&product.status)
            && listing.category.as_ref().is_none_or(|category| *category == product.category)
            && listing.min_price.is_none_or(|least| product.price.minor() >= least)
            && listing.max_price.is_none_or(|most| product.price.minor() <= most)
            && listing.in_stock.is_none_or(|wanted| (product.stock > 0) == wanted)
            && listing.words.iter().all(|word| folded.contains(word))
    };
    let mut found: Vec<&Product> = all.iter().filter(fits).collect();
    found.sort_by(|one, other| {
        let by_key = match listing.sort {
            SortKey::Price => one.price.minor().cmp(&other.price.minor()),
            SortKey::Name => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
            SortKey::CreatedAt => one.created_at.cmp(&other.created_at),
        };
        let ascending = by_key.then(one.id.cmp(&other.id));
        if listing.order == SortOrder::Asc { ascending } else { ascending.reverse() }
    });
    found.into_iter().map(|product| product.name.clone()).collect()
}

fn every_filter(plain: &Listing) -> Vec<Listing> {
    let with = |change: &dyn Fn(&mut Listing)| {
        let mut listing = plain.clone();
        change(&mut listing);
        listing
    };
    vec![
        plain.clone(),
        with(&|listing| listing.statuses = vec![ProductStatus::Active]),
        with(&|listing| listing.statuses = Vec::new()),
        with(&|listing| listing.category = Some(Slug::parse("home").unwrap())),
        with(&|listing| listing.min_price = Some(200)),
        with(&|listing| listing.max_price = Some(200)),
        with(&|listing| (listing.min_price, listing.max_price) = (Some(100), Some(300))),
        with(&|listing| listing.in_stock = Some(true)),
        with(&|listing| listing.in_stock = Some(false)),
        with(&|listing| listing.words = vec!["lamp".into(), "1".into()]),
        with(&|listing| listing.words = vec!["%".into()]),
        with(&|listing| {
            listing.statuses = vec![ProductStatus::Active, ProductStatus::Draft];
            listing.category = Some(Slug::parse("garden").unwrap());
            (listing.min_price, listing.in_stock) = (Some(100), Some(true));
        }),
    ]
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

async fn every_filter_and_order_gives_the_right_pages(db: TestDatabase) {
    let shop = stocked_shop(&db).await;
    let all = shop.lists(&everything(SortKey::Name, SortOrder::Asc), &PageRequest::first(100)).await.entries;
    assert_eq!(all.len(), 24);
    for (_, sort) in SortKey::NAMES {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            for listing in every_filter(&everything(sort, order)) {
                assert_eq!(shop.names(&listing, 5).await, expected(&all, &listing), "{listing:?}");
            }
        }
    }
}

async fn pages_by_number_tell_the_total(db: TestDatabase) {
    let shop = stocked_shop(&db).await;
    for listing in every_filter(&everything(SortKey::Price, SortOrder::Asc)) {
        let whole = shop.names(&listing, 100).await;
        for number in 1..=6_u32 {
            let request = PageRequest { limit: 5, position: Position::Number(number), count: false };
            let page = shop.lists(&listing, &request).await;
            let names: Vec<_> = page.entries.into_iter().map(|product| product.name).collect();
            let skipped = usize::try_from((number - 1) * 5).unwrap();
            let rest: Vec<_> = whole.iter().skip(skipped).take(5).cloned().collect();
            assert_eq!((names, page.total), (rest, u32::try_from(whole.len()).ok()), "{listing:?}");
        }
    }
}

async fn prices_limit_another_order_also_when_many_match(db: TestDatabase) {
    let shop = shop(&db);
    let new: Vec<_> = (0..1_300).map(|number| offered(&format!("P{number:04}"), number, 1, "home")).collect();
    shop.does(move |shop, tx, occasion| shop.seed_products(tx, occasion, &new)).await.unwrap();
    let mut listing = everything(SortKey::Name, SortOrder::Desc);
    listing.min_price = Some(100);
    assert_eq!(shop.names(&listing, 100).await.len(), 1_200);
    listing.max_price = Some(104);
    assert_eq!(shop.names(&listing, 2).await, ["P0104", "P0103", "P0102", "P0101", "P0100"]);
}

async fn a_cursor_holds_while_products_come_and_go(db: TestDatabase) {
    let shop = shop(&db);
    for number in [10, 20, 30, 40] {
        shop.makes(offered(&format!("P{number}"), number, 1, "home")).await;
    }
    let listing = everything(SortKey::Price, SortOrder::Asc);
    let first = shop.lists(&listing, &PageRequest::first(2)).await;
    assert_eq!(first.entries.last().unwrap().name, "P20");
    shop.makes(offered("P05", 5, 1, "home")).await;
    shop.makes(offered("P25", 25, 1, "home")).await;
    let last = first.entries[1].id;
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, last, &IfMatch::default()))
        .await
        .unwrap();
    let rest = PageRequest { limit: 9, position: Position::After(first.next.unwrap()), count: false };
    let names: Vec<_> = shop.lists(&listing, &rest).await.entries.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["P25", "P30", "P40"]);
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
    let named = Listing { words: vec!["led".into()], ..everything(SortKey::Name, SortOrder::Asc) };
    assert_eq!(shop.names(&named, 9).await, ["LED"]);
    shop.books_agree().await;
}

async fn low_and_out_of_stock_are_told_once_each(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 12, "home")).await.id;
    shop.adjusts(lamp, -1).await.unwrap();
    assert_eq!(shop.told().await.get("product.low_stock"), None);
    shop.adjusts(lamp, -1).await.unwrap();
    shop.takes(lamp, 9).await.unwrap();
    assert_eq!(shop.told().await.get("product.out_of_stock"), None);
    shop.takes(lamp, 1).await.unwrap();
    let told = shop.told().await;
    assert_eq!((told["product.low_stock"], told["product.out_of_stock"], told["product.updated"]), (1, 1, 4));
    shop.books_agree().await;
}

async fn stock_never_falls_below_nothing(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 3, "home")).await.id;
    let refused = shop.adjusts(lamp, -4).await.unwrap_err();
    assert!(matches!(refused, CatalogError::InsufficientStock { available: 3, requested: 4 }), "{refused}");
    assert!(matches!(shop.adjusts(lamp, 1_000_000_000).await.unwrap_err(), CatalogError::StockTooLarge));
    let nobody: ProductId = shop.occasion().id();
    assert!(matches!(shop.adjusts(nobody, 1).await.unwrap_err(), CatalogError::UnknownProduct));
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 3);
    shop.books_agree().await;
}

async fn an_order_takes_all_of_its_pieces_or_none(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 5, "home")).await.id;
    let chair = shop.makes(offered("Chair", 100, 1, "home")).await.id;
    let draft = shop.makes(offered("Draft", 100, 9, "home").with_status(ProductStatus::Draft)).await.id;
    let take = |wanted: Vec<(ProductId, i64)>| {
        let pieces: Vec<_> = wanted.into_iter().map(|(product, pieces)| Quantity { product, pieces }).collect();
        shop.does(move |shop, tx, occasion| shop.take_stock(tx, occasion, &pieces))
    };
    let short = take(vec![(lamp, 2), (chair, 2)]).await.unwrap_err();
    assert!(matches!(short, StockError::Insufficient { product, available: 1, requested: 2 } if product == chair));
    assert!(matches!(take(vec![(draft, 1)]).await.unwrap_err(), StockError::NotOffered(id) if id == draft));
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 5);
    take(vec![(lamp, 2), (chair, 1), (lamp, 1)]).await.unwrap();
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 2);
    let gone: ProductId = shop.occasion().id();
    let back = [Quantity { product: lamp, pieces: 3 }, Quantity { product: gone, pieces: 1 }];
    shop.does(move |shop, tx, occasion| shop.return_stock(tx, occasion, &back)).await.unwrap();
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 5);
    shop.books_agree().await;
}

async fn sellables_are_found_in_one_query(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 1_250, 5, "home")).await.id;
    let draft = shop.makes(offered("Draft", 1, 0, "home").with_status(ProductStatus::Inactive)).await.id;
    let (catalogue, unknown) = (shop.catalogue.clone(), shop.occasion().id());
    let read = move |connection: &mut Connection<'_>| catalogue.sellables(connection, &[lamp, unknown, draft]);
    let mut found = shop.database.read::<_, DatabaseError, _>(read).await.unwrap();
    found.sort_by_key(|sellable| sellable.id);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].id, found[0].price.minor(), found[0].stock, found[0].active), (lamp, 1_250, 5, true));
    assert_eq!((found[1].id, found[1].active), (draft, false));
}

async fn race_of_a_hundred_buyers_for_forty_pieces(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 40, "home")).await.id;
    let chair = shop.makes(offered("Chair", 100, 1_000, "home")).await.id;
    let mut buyers = Vec::new();
    for number in 0..100 {
        let (shop, mut wanted) = (shop.clone(), vec![lamp, chair]);
        // Half of them name the products the other way round, which must not lock them in a circle.
        if number % 2 == 0 {
            wanted.reverse();
        }
        buyers.push(tokio::spawn(async move {
            let pieces: Vec<_> = wanted.iter().map(|product| Quantity { product: *product, pieces: 1 }).collect();
            shop.does(move |shop, tx, occasion| shop.take_stock(tx, occasion, &pieces)).await
        }));
    }
    let (mut sold, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.unwrap() {
            Ok(()) => sold += 1,
            Err(StockError::Insufficient { product, available: 0, requested: 1 }) if product == lamp => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((sold, refused), (40, 60));
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 0);
    assert_eq!(shop.finds(chair).await.unwrap().stock, 960);
    let told = shop.told().await;
    assert_eq!((told["product.out_of_stock"], told["product.low_stock"], told["product.updated"]), (1, 1, 80));
    shop.books_agree().await;
}

async fn race_of_changes_and_sales_loses_nothing(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 100, 500, "home")).await.id;
    let mut deeds = Vec::new();
    for number in 0..60_i64 {
        let shop = shop.clone();
        deeds.push(tokio::spawn(async move {
            match number % 3 {
                0 => shop.takes(lamp, 2).await.unwrap(),
                1 => drop(shop.adjusts(lamp, 1).await.unwrap()),
                _ => {
                    let price = Some(Money::from_minor(number, usd()));
                    let changes = ProductChanges { price, ..ProductChanges::default() };
                    shop.changes(lamp, changes).await.unwrap();
                }
            }
        }));
    }
    for deed in deeds {
        deed.await.unwrap();
    }
    let lamp = shop.finds(lamp).await.unwrap();
    assert_eq!((lamp.stock, lamp.version), (500 - 40 + 20, 61));
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

async fn lists_are_read_from_their_indexes(db: TestDatabase) {
    let shop = shop(&db);
    if db.engine() == Engine::Postgres {
        // Its planner weighs the size of tables, which a test's do not have; see docs/performance.md.
        return;
    }
    for (_, sort) in SortKey::NAMES {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            for mut listing in every_filter(&everything(sort, order)) {
                if listing.statuses.is_empty() || listing.narrows_another_order() {
                    continue;
                }
                listing.statuses = vec![ProductStatus::Active];
                let plan = pages::explain(&shop.database, listing.clone()).await;
                assert!(plan.iter().all(|step| step.contains("USING INDEX products_")), "{listing:?}: {plan:?}");
                assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{listing:?}: {plan:?}");
            }
        }
    }
}

}

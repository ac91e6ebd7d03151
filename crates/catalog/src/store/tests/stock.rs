//! Stock: never below nothing, never lost, and told of once.

use stoa_contracts::catalog::{Offering, Part};

use super::*;

each_engine! { TABLES;

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
        shop.buys(wanted.into_iter().map(|(product, pieces)| (Ware::Product(product), pieces)).collect())
    };
    let short = take(vec![(lamp, 2), (chair, 2)]).await.unwrap_err();
    assert!(matches!(short, StockError::Insufficient { ware, available: 1, requested: 2 } if ware == Ware::Product(chair)));
    assert!(matches!(take(vec![(draft, 1)]).await.unwrap_err(), StockError::NotOffered(ware) if ware == Ware::Product(draft)));
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 5);
    take(vec![(lamp, 2), (chair, 1), (lamp, 1)]).await.unwrap();
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 2);
    let gone: ProductId = shop.occasion().id();
    let part = |product, pieces| Part { product, variant: None, pieces };
    let back = [part(lamp, 3), part(gone, 1)];
    shop.does(move |shop, tx, occasion| shop.return_stock(tx, occasion, &back)).await.unwrap();
    assert_eq!(shop.finds(lamp).await.unwrap().stock, 5);
    shop.books_agree().await;
}

async fn sellables_are_found_in_one_query(db: TestDatabase) {
    let shop = shop(&db);
    let lamp = shop.makes(offered("Lamp", 1_250, 5, "home")).await.id;
    let draft = shop.makes(offered("Draft", 1, 0, "home").with_status(ProductStatus::Inactive)).await.id;
    let (catalogue, unknown) = (shop.catalogue.clone(), shop.occasion().id());
    let read = move |connection: &mut Connection<'_>| {
        catalogue.sellables(connection, &[lamp, unknown, draft].map(Ware::Product))
    };
    let mut found = shop.database.read::<_, DatabaseError, _>(read).await.unwrap();
    found.sort_by_key(|sellable| sellable.ware);
    assert_eq!(found.len(), 2);
    let shown = |index: usize| (found[index].ware, found[index].price.minor(), found[index].stock, found[index].offering);
    assert_eq!(shown(0), (Ware::Product(lamp), 1_250, 5, Offering::Offered));
    assert_eq!(shown(1), (Ware::Product(draft), 1, 0, Offering::NotOffered));
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
            shop.buys(wanted.into_iter().map(|product| (Ware::Product(product), 1)).collect()).await
        }));
    }
    let (mut sold, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.unwrap() {
            Ok(_) => sold += 1,
            Err(StockError::Insufficient { ware, available: 0, requested: 1 }) if ware == Ware::Product(lamp) => refused += 1,
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
                0 => drop(shop.takes(lamp, 2).await.unwrap()),
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

}

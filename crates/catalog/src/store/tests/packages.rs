//! Packages: as many as their parts make, and never a piece sold twice.

use std::sync::atomic::{AtomicBool, Ordering};

use stoa_contracts::catalog::{Offering, PackageId, Part};

use super::*;
use crate::package::{NewPackage, Package, PackageChanges, PackageItem};

impl Shop {
    pub(super) async fn packs(&self, name: &str, items: &[(Ware, i64)]) -> Result<Package, CatalogError> {
        self.clock.advance(Duration::from_millis(1));
        let new = NewPackage {
            name: name.into(),
            description: String::new(),
            price: Money::from_minor(1_000, usd()),
            items: items.iter().map(|(ware, quantity)| item(*ware, *quantity)).collect(),
            images: crate::product::JsonText::stored("[]".into()),
            status: ProductStatus::Active,
        };
        self.does(move |shop, tx, occasion| shop.create_package(tx, occasion, new.clone())).await
    }

    async fn repacks(&self, id: PackageId, changes: PackageChanges) -> Result<Package, CatalogError> {
        self.does(move |shop, tx, occasion| shop.update_package(tx, occasion, id, changes.clone())).await
    }

    async fn package(&self, id: PackageId) -> Package {
        let read = move |connection: &mut Connection<'_>| crate::store::packages::find(connection, id, usd());
        self.database.read::<_, DatabaseError, _>(read).await.unwrap().unwrap()
    }
}

fn item(ware: Ware, quantity: i64) -> PackageItem {
    let (product_id, variant_id) = match ware {
        Ware::Product(product) => (product, None),
        Ware::Variant(product, variant) => (product, Some(variant)),
        Ware::Package(_) => panic!("no packages in packages"),
    };
    PackageItem { product_id, variant_id, quantity }
}

each_engine! { TABLES;

async fn a_package_has_as_many_as_its_scarcest_part(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 9, "home")).await.id;
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", Some(3)).await.unwrap().id;
    let set = shop.packs("Set", &[(Ware::Product(cup), 2), (Ware::Variant(tea, large), 1)]).await.unwrap();
    assert_eq!((set.stock, set.items.len(), set.version), (3, 2, 1));
    shop.adjusts(cup, -6).await.unwrap();
    let set = shop.package(set.id).await;
    assert_eq!((set.stock, set.items[0].product_id, set.items[1].variant_id), (1, cup, Some(large)));
    let ware = Ware::Package(set.id);
    let [found] = shop.sellables(vec![ware]).await.try_into().unwrap();
    assert_eq!((found.name.as_str(), found.price.minor(), found.stock), ("Set", 1_000, 1));
    assert_eq!(found.offering, Offering::Offered);

    let withdraw = |status| ProductChanges { status: Some(status), ..ProductChanges::default() };
    shop.changes(cup, withdraw(ProductStatus::Archived)).await.unwrap();
    assert_eq!(shop.package(set.id).await.stock, 0);
    assert_eq!(shop.sellables(vec![ware]).await[0].offering, Offering::NotOffered);
    assert!(matches!(shop.buys(vec![(ware, 1)]).await.unwrap_err(), StockError::NotOffered(told) if told == ware));
    shop.changes(cup, withdraw(ProductStatus::Active)).await.unwrap();
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, tea, &IfMatch::default())).await.unwrap();
    let set = shop.package(set.id).await;
    assert_eq!((set.stock, set.items.len()), (0, 2), "a part that is gone is still named");
    assert!(matches!(shop.buys(vec![(ware, 1)]).await.unwrap_err(), StockError::NotOffered(told) if told == ware));
    shop.books_agree().await;
}

async fn parts_have_to_exist_and_to_name_their_variant(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 9, "home")).await.id;
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", Some(3)).await.unwrap().id;
    let nothing: ProductId = shop.occasion().id();
    for (ware, told) in [
        (Ware::Product(nothing), "items[0].productId UNKNOWN"),
        (Ware::Product(tea), "items[0].variantId VARIANT_REQUIRED"),
        (Ware::Variant(cup, large), "items[0].variantId UNKNOWN"),
    ] {
        let CatalogError::Refused(refusal) = shop.packs("Set", &[(ware, 1)]).await.unwrap_err() else {
            panic!("{ware} is no part")
        };
        assert_eq!(format!("{} {}", refusal.fields[0].field, refusal.fields[0].code), told);
    }
    assert_eq!(shop.told().await.get("package.created"), None);
}

async fn a_package_is_changed_and_deleted(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 9, "home")).await.id;
    let jug = shop.makes(offered("Jug", 300, 4, "home")).await.id;
    let set = shop.packs("Set", &[(Ware::Product(cup), 2)]).await.unwrap().id;
    assert_eq!(shop.repacks(set, PackageChanges::default()).await.unwrap().version, 1);
    let items = Some(vec![item(Ware::Product(jug), 4), item(Ware::Product(cup), 1)]);
    let changed = shop.repacks(set, PackageChanges { items, ..PackageChanges::default() }).await.unwrap();
    assert_eq!((changed.version, changed.stock, changed.name.as_str()), (2, 1, "Set"));
    let status = Some(ProductStatus::Inactive);
    shop.repacks(set, PackageChanges { status, ..PackageChanges::default() }).await.unwrap();
    let ware = Ware::Package(set);
    assert!(matches!(shop.buys(vec![(ware, 1)]).await.unwrap_err(), StockError::NotOffered(_)));
    assert_eq!(shop.sellables(vec![ware]).await[0].offering, Offering::NotOffered);
    let delete = || shop.does(move |shop, tx, occasion| shop.delete_package(tx, occasion, set));
    delete().await.unwrap();
    assert!(matches!(delete().await.unwrap_err(), CatalogError::UnknownPackage));
    assert_eq!(shop.sellables(vec![ware]).await, []);
    let told = shop.told().await;
    let told = (told["package.created"], told["package.updated"], told["package.deleted"]);
    assert_eq!(told, (1, 2, 1));
}

async fn a_package_is_unpacked_and_given_back_as_it_was(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 9, "home")).await.id;
    let jug = shop.makes(offered("Jug", 300, 4, "home")).await.id;
    let set = shop.packs("Set", &[(Ware::Product(jug), 1), (Ware::Product(cup), 2)]).await.unwrap().id;
    let bought = shop.buys(vec![(Ware::Package(set), 2), (Ware::Product(cup), 3)]).await.unwrap();
    assert_eq!(bought.len(), 1);
    let part = |product, pieces| Part { product, variant: None, pieces };
    assert_eq!((bought[0].package, &bought[0].parts), (set, &vec![part(cup, 4), part(jug, 2)]));
    let left = async || (shop.finds(cup).await.unwrap().stock, shop.finds(jug).await.unwrap().stock);
    assert_eq!(left().await, (2, 2));
    let cups = shop.finds(cup).await.unwrap();
    assert_eq!(cups.version, 2, "what the package and the line want is taken at once");
    let short = shop.buys(vec![(Ware::Package(set), 2)]).await.unwrap_err();
    let wanted = Ware::Package(set);
    assert!(matches!(short, StockError::Insufficient { ware, available: 1, requested: 2 } if ware == wanted), "{short}");
    let items = Some(vec![item(Ware::Product(jug), 1)]);
    shop.repacks(set, PackageChanges { items, ..PackageChanges::default() }).await.unwrap();
    shop.returns(bought[0].parts.clone()).await;
    assert_eq!(left().await, (6, 4));
    shop.books_agree().await;
}

async fn race_of_two_hundred_buyers_for_packages_that_share_parts(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 100, "home")).await.id;
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", Some(60)).await.unwrap().id;
    let small = shop.adds_variant(tea, "Small", Some(1_000)).await.unwrap().id;
    let cups = |pieces| (Ware::Product(cup), pieces);
    let teas = |variant, pieces| (Ware::Variant(tea, variant), pieces);
    let pair = Ware::Package(shop.packs("Pair", &[teas(large, 1), cups(2)]).await.unwrap().id);
    let single = Ware::Package(shop.packs("Single", &[cups(1), teas(large, 1), teas(small, 1)]).await.unwrap().id);
    let mut buyers = Vec::new();
    for number in 0..200 {
        let shop = shop.clone();
        let wanted = match number % 4 {
            0 => vec![(pair, 1)],
            1 => vec![(single, 1)],
            2 => vec![teas(small, 1), (single, 1), cups(1)],
            _ => vec![cups(1), teas(large, 1)],
        };
        buyers.push(tokio::spawn(async move {
            match shop.buys(wanted).await {
                Ok(_) => Some(number % 4),
                Err(StockError::Insufficient { available, requested, .. }) if available < requested => None,
                Err(other) => panic!("{other}"),
            }
        }));
    }
    let mut sold = [0_i64; 4];
    for buyer in buyers {
        if let Some(kind) = buyer.await.unwrap() {
            sold[kind] += 1;
        }
    }
    let [pairs, singles, mixed, loose] = sold;
    let (cups_left, large_left) = (shop.finds(cup).await.unwrap().stock, shop.left_of(tea, large).await);
    assert_eq!(cups_left, 100 - 2 * pairs - singles - 2 * mixed - loose);
    assert_eq!(large_left, 60 - pairs - singles - mixed - loose);
    assert_eq!(shop.left_of(tea, small).await, 1_000 - singles - 2 * mixed);
    assert!(large_left == 0 || cups_left < 2, "nobody was sent away for nothing: {sold:?}");
    shop.books_agree().await;
}

async fn race_of_buyers_and_a_part_that_is_archived(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 1_000, "home")).await.id;
    let jug = shop.makes(offered("Jug", 300, 1_000, "home")).await.id;
    let set = Ware::Package(shop.packs("Set", &[(Ware::Product(cup), 1), (Ware::Product(jug), 2)]).await.unwrap().id);
    let archived = Arc::new(AtomicBool::new(false));
    let mut buyers = Vec::new();
    for number in 0..60 {
        let (shop, archived) = (shop.clone(), Arc::clone(&archived));
        buyers.push(tokio::spawn(async move {
            if number == 20 {
                let changes = ProductChanges { status: Some(ProductStatus::Archived), ..ProductChanges::default() };
                shop.changes(jug, changes).await.unwrap();
                archived.store(true, Ordering::SeqCst);
            }
            let known = archived.load(Ordering::SeqCst);
            match shop.buys(vec![(set, 1)]).await {
                Ok(_) if known => panic!("it was sold after it was archived"),
                Ok(_) => 1,
                Err(StockError::NotOffered(ware)) if ware == set => 0,
                Err(other) => panic!("{other}"),
            }
        }));
    }
    let mut sold = 0;
    for buyer in buyers {
        sold += buyer.await.unwrap();
    }
    assert!(sold < 60);
    assert_eq!(shop.finds(cup).await.unwrap().stock, 1_000 - sold, "whoever was refused took nothing");
    assert_eq!(shop.finds(jug).await.unwrap().stock, 1_000 - 2 * sold);
    shop.books_agree().await;
}

async fn race_of_buyers_and_a_package_that_is_withdrawn(db: TestDatabase) {
    let shop = shop(&db);
    let cup = shop.makes(offered("Cup", 300, 1_000, "home")).await.id;
    let set = shop.packs("Set", &[(Ware::Product(cup), 1)]).await.unwrap().id;
    let withdrawn = Arc::new(AtomicBool::new(false));
    let mut buyers = Vec::new();
    for number in 0..60 {
        let (shop, withdrawn) = (shop.clone(), Arc::clone(&withdrawn));
        buyers.push(tokio::spawn(async move {
            if number == 20 {
                let changes = PackageChanges { status: Some(ProductStatus::Inactive), ..PackageChanges::default() };
                shop.repacks(set, changes).await.unwrap();
                withdrawn.store(true, Ordering::SeqCst);
            }
            let known = withdrawn.load(Ordering::SeqCst);
            match shop.buys(vec![(Ware::Package(set), 1)]).await {
                Ok(_) if known => panic!("it was sold after it was withdrawn"),
                Ok(_) => 1,
                Err(StockError::NotOffered(_)) => 0,
                Err(other) => panic!("{other}"),
            }
        }));
    }
    let mut sold = 0;
    for buyer in buyers {
        sold += buyer.await.unwrap();
    }
    assert_eq!(shop.finds(cup).await.unwrap().stock, 1_000 - sold);
    shop.books_agree().await;
}

}

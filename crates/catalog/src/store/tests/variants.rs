//! Variants: each a shelf of its own, and the product is the sum of them.

use stoa_contracts::catalog::{Offering, Part, Sellable};

use super::*;
use crate::{
    product::JsonText,
    variant::{NewVariant, Variant, VariantChanges},
};

impl Shop {
    pub(super) async fn adds_variant(
        &self,
        product: ProductId,
        name: &str,
        stock: Option<i64>,
    ) -> Result<Variant, CatalogError> {
        let (name, sku) = (name.to_owned(), format!("{product}-{name}"));
        let new = NewVariant { name, sku, price: None, stock, attributes: JsonText::stored("{}".into()) };
        self.adds(product, new).await
    }

    async fn adds(&self, product: ProductId, new: NewVariant) -> Result<Variant, CatalogError> {
        self.clock.advance(Duration::from_millis(1));
        let any = IfMatch::default();
        let made =
            self.does(move |shop, tx, occasion| shop.create_variant(tx, occasion, (product, &any), &new));
        Ok(made.await?.1)
    }

    async fn changes_variant(
        &self,
        (product, variant): (ProductId, VariantId),
        changes: VariantChanges,
    ) -> Result<Variant, CatalogError> {
        let any = IfMatch::default();
        let written = self.does(move |shop, tx, occasion| {
            shop.update_variant(tx, occasion, (product, variant, &any), &changes)
        });
        Ok(written.await?.1)
    }

    async fn removes(&self, product: ProductId, variant: VariantId) -> Result<(), CatalogError> {
        let any = IfMatch::default();
        self.does(move |shop, tx, occasion| shop.delete_variant(tx, occasion, (product, variant, &any))).await
    }

    pub(super) async fn returns(&self, parts: Vec<Part>) {
        self.does(move |shop, tx, occasion| shop.return_stock(tx, occasion, &parts)).await.unwrap();
    }

    pub(super) async fn sellables(&self, wanted: Vec<Ware>) -> Vec<Sellable> {
        let catalogue = self.catalogue.clone();
        let read = move |connection: &mut Connection<'_>| catalogue.sellables(connection, &wanted);
        let mut found = self.database.read::<_, DatabaseError, _>(read).await.unwrap();
        found.sort_by_key(|sellable| sellable.ware);
        found
    }
}

/// Tea in two sizes: three large ones and five small ones.
async fn tea(shop: &Shop) -> (ProductId, VariantId, VariantId) {
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", Some(3)).await.unwrap().id;
    let small = shop.adds_variant(tea, "Small", Some(5)).await.unwrap().id;
    (tea, large, small)
}

each_engine! { TABLES;

async fn the_first_variant_takes_over_the_pieces_of_the_product(db: TestDatabase) {
    let shop = shop(&db);
    let tea = shop.makes(offered("Tea", 500, 7, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", None).await.unwrap();
    assert_eq!((large.stock, large.price.minor()), (7, 500));
    let small = shop.adds_variant(tea, "Small", None).await.unwrap();
    assert_eq!(small.stock, 0);
    let found = shop.finds(tea).await.unwrap();
    assert_eq!((found.stock, found.variants.len(), found.variant_count), (7, 2, 2));
    assert_eq!(found.variants[0], large);
    assert!(found.version > 2, "every movement has a version to itself");
    shop.books_agree().await;
    shop.removes(tea, large.id).await.unwrap();
    shop.removes(tea, small.id).await.unwrap();
    let found = shop.finds(tea).await.unwrap();
    assert_eq!((found.stock, found.variant_count), (0, 0));
    assert_eq!(shop.adjusts(tea, 4).await.unwrap().stock, 4, "it is sold by itself again");
    shop.books_agree().await;
}

async fn pieces_of_the_product_leave_when_its_first_variant_has_its_own(db: TestDatabase) {
    let shop = shop(&db);
    let tea = shop.makes(offered("Tea", 500, 7, "home")).await.id;
    shop.adds_variant(tea, "Large", Some(0)).await.unwrap();
    assert_eq!(shop.finds(tea).await.unwrap().stock, 0);
    let told = shop.told().await;
    assert_eq!((told["product.updated"], told["product.out_of_stock"]), (1, 1));
    shop.books_agree().await;
}

async fn a_product_with_variants_moves_by_them_only(db: TestDatabase) {
    let shop = shop(&db);
    let (tea, large, small) = tea(&shop).await;
    assert!(matches!(shop.adjusts(tea, 1).await.unwrap_err(), CatalogError::VariantRequired));
    let set = ProductChanges { stock: Some(1), ..ProductChanges::default() };
    assert!(matches!(shop.changes(tea, set).await.unwrap_err(), CatalogError::Field("stock", "VARIANT_REQUIRED", _)));
    let nothing: VariantId = shop.occasion().id();
    let unknown = shop.adjusts_shelf((tea, Some(nothing)), 1).await.unwrap_err();
    assert!(matches!(unknown, CatalogError::UnknownVariant));
    let short = shop.adjusts_shelf((tea, Some(large)), -4).await.unwrap_err();
    assert!(matches!(short, CatalogError::InsufficientStock { available: 3, requested: 4 }), "{short}");
    let after = shop.adjusts_shelf((tea, Some(small)), 2).await.unwrap();
    assert_eq!((after.stock, after.variants[1].stock), (10, 7));
    let full = shop.adjusts_shelf((tea, Some(small)), 999_999_992).await.unwrap_err();
    assert!(matches!(full, CatalogError::StockTooLarge), "all variants together have the bound of a product: {full}");
    let changes = VariantChanges { stock: Some(1), price: Some(Money::from_minor(5, usd())), ..VariantChanges::default() };
    let changed = shop.changes_variant((tea, large), changes).await.unwrap();
    assert_eq!((changed.stock, changed.price.minor(), changed.name.as_str()), (1, 5, "Large"));
    assert_eq!(shop.finds(tea).await.unwrap().stock, 8);
    let named = ProductChanges { name: Some("Chai".into()), ..ProductChanges::default() };
    assert_eq!(shop.changes(tea, named).await.unwrap().variants.len(), 2);
    shop.books_agree().await;
}

async fn a_sku_is_there_once_in_whatever_case(db: TestDatabase) {
    let shop = shop(&db);
    let (tea, large, small) = tea(&shop).await;
    let sku = shop.finds(tea).await.unwrap().variants[0].sku.to_uppercase();
    let attributes = JsonText::stored("{}".into());
    let new = NewVariant { name: "Other".into(), sku: sku.clone(), price: None, stock: None, attributes };
    let other = shop.makes(offered("Coffee", 1, 1, "home")).await.id;
    assert!(matches!(shop.adds(other, new).await.unwrap_err(), CatalogError::SkuTaken));
    assert_eq!(shop.finds(other).await.unwrap().variant_count, 0);
    let same = VariantChanges { sku: Some(sku), ..VariantChanges::default() };
    assert!(matches!(shop.changes_variant((tea, small), same.clone()).await.unwrap_err(), CatalogError::SkuTaken));
    shop.changes_variant((tea, large), same).await.unwrap();
    assert!(matches!(shop.removes(other, large).await.unwrap_err(), CatalogError::UnknownVariant));
    shop.books_agree().await;
}

async fn a_product_has_a_hundred_variants(db: TestDatabase) {
    let shop = shop(&db);
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    for number in 0..100 {
        shop.adds_variant(tea, &format!("{number}"), Some(1)).await.unwrap();
    }
    assert!(matches!(shop.adds_variant(tea, "more", None).await.unwrap_err(), CatalogError::TooManyVariants));
    assert_eq!(shop.finds(tea).await.unwrap().stock, 100);
    shop.does(move |shop, tx, occasion| shop.delete_product(tx, occasion, tea, &IfMatch::default())).await.unwrap();
    shop.books_agree().await;
}

async fn variants_are_sold_and_given_back(db: TestDatabase) {
    let shop = shop(&db);
    let (tea, large, small) = tea(&shop).await;
    let whole = shop.takes(tea, 1).await.unwrap_err();
    assert!(matches!(whole, StockError::NotOffered(Ware::Product(id)) if id == tea), "{whole}");
    let ware = |variant| Ware::Variant(tea, variant);
    let short = shop.buys(vec![(ware(large), 4)]).await.unwrap_err();
    assert!(matches!(short, StockError::Insufficient { available: 3, requested: 4, .. }), "{short}");
    assert_eq!(shop.finds(tea).await.unwrap().stock, 8, "nothing of it stays");
    shop.buys(vec![(ware(small), 2), (ware(large), 3), (ware(small), 1)]).await.unwrap();
    assert_eq!((shop.left_of(tea, large).await, shop.left_of(tea, small).await), (0, 2));
    let told = shop.told().await;
    assert_eq!((told["product.out_of_stock"], told.get("product.low_stock")), (1, None), "the large ones ran out");
    let part = |variant, pieces| Part { product: tea, variant, pieces };
    shop.returns(vec![part(Some(large), 1), part(Some(small), 3)]).await;
    assert_eq!((shop.left_of(tea, large).await, shop.left_of(tea, small).await), (1, 5));
    // No such shelf any more: a variant that is gone, a product that has got variants since.
    shop.removes(tea, small).await.unwrap();
    shop.returns(vec![part(Some(small), 3), part(None, 2)]).await;
    assert_eq!(shop.finds(tea).await.unwrap().stock, 1);
    let foreign = Ware::Variant(shop.occasion().id(), large);
    assert!(matches!(shop.buys(vec![(foreign, 1)]).await.unwrap_err(), StockError::NotOffered(_)));
    shop.books_agree().await;
}

async fn sellables_name_the_variant_beside_the_product(db: TestDatabase) {
    let shop = shop(&db);
    let (tea, large, small) = tea(&shop).await;
    let stranger: ProductId = shop.occasion().id();
    let wanted = vec![
        Ware::Variant(tea, small), Ware::Product(tea), Ware::Variant(tea, large), Ware::Variant(stranger, large),
    ];
    let found = shop.sellables(wanted.clone()).await;
    let names: Vec<_> = found.iter().map(|found| (found.name.as_str(), found.stock, found.offering)).collect();
    let told = [("Tea", 8, Offering::ByVariant), ("Tea (Large)", 3, Offering::Offered), ("Tea (Small)", 5, Offering::Offered)];
    assert_eq!(names, told);
    let status = Some(ProductStatus::Archived);
    shop.changes(tea, ProductChanges { status, ..ProductChanges::default() }).await.unwrap();
    assert!(shop.sellables(wanted).await.iter().all(|found| found.offering == Offering::NotOffered));
    assert!(matches!(shop.buys(vec![(Ware::Variant(tea, large), 1)]).await.unwrap_err(), StockError::NotOffered(_)));
}

async fn lists_show_variants_and_their_sum(db: TestDatabase) {
    let shop = shop(&db);
    shop.makes(offered("Cup", 100, 0, "home")).await;
    let (tea, large, small) = tea(&shop).await;
    let in_stock = Listing { in_stock: Some(true), ..everything(SortKey::Name, SortOrder::Asc) };
    let page = shop.lists(&in_stock, &PageRequest::first(10)).await.entries;
    assert_eq!(page.len(), 1);
    let variants: Vec<_> = page[0].variants.iter().map(|variant| (variant.id, variant.stock)).collect();
    assert_eq!(variants, [(large, 3), (small, 5)]);
    shop.buys(vec![(Ware::Variant(tea, large), 3), (Ware::Variant(tea, small), 5)]).await.unwrap();
    assert_eq!(shop.names(&in_stock, 10).await, Vec::<String>::new());
}

async fn race_for_variants_sells_each_piece_once(db: TestDatabase) {
    let shop = shop(&db);
    let tea = shop.makes(offered("Tea", 500, 0, "home")).await.id;
    let large = shop.adds_variant(tea, "Large", Some(40)).await.unwrap().id;
    let small = shop.adds_variant(tea, "Small", Some(70)).await.unwrap().id;
    let mut deeds = Vec::new();
    for number in 0..120 {
        let (shop, mut wares) = (shop.clone(), vec![(Ware::Variant(tea, large), 1), (Ware::Variant(tea, small), 1)]);
        if number % 2 == 0 {
            wares.reverse();
        }
        deeds.push(tokio::spawn(async move {
            match number % 4 {
                // Among the buyers one who counts, and one who renames.
                0 => shop.adjusts_shelf((tea, Some(small)), 1).await.map(|_| 0).unwrap(),
                1 => {
                    let name = Some(format!("Small {number}"));
                    let changes = VariantChanges { name, ..VariantChanges::default() };
                    shop.changes_variant((tea, small), changes).await.map(|_| 0).unwrap()
                }
                _ => match shop.buys(wares).await {
                    Ok(_) => 1,
                    Err(StockError::Insufficient { ware, available: 0, requested: 1 }) if ware == Ware::Variant(tea, large) => 0,
                    Err(other) => panic!("{other}"),
                },
            }
        }));
    }
    let mut sold = 0;
    for deed in deeds {
        sold += deed.await.unwrap();
    }
    assert_eq!(sold, 40);
    assert_eq!((shop.left_of(tea, large).await, shop.left_of(tea, small).await), (0, 70 + 30 - 40));
    shop.books_agree().await;
}

}

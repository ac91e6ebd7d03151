//! The permissions that these routes ask for.

stoa_http::guards! {
    CreatesProducts = "product": "create";
    UpdatesProducts = "product": "update";
    DeletesProducts = "product": "delete";
    CreatesCategories = "category": "create";
    UpdatesCategories = "category": "update";
    DeletesCategories = "category": "delete";
}

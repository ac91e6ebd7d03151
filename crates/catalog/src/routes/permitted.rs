//! The permissions that these routes ask for.

stoa_http::guards! {
    ReadsProducts = "product": "read";
    CreatesProducts = "product": "create";
    UpdatesProducts = "product": "update";
    DeletesProducts = "product": "delete";
    CreatesCategories = "category": "create";
    UpdatesCategories = "category": "update";
    DeletesCategories = "category": "delete";
    CreatesPackages = "package": "create";
    UpdatesPackages = "package": "update";
    DeletesPackages = "package": "delete";
    CreatesOffers = "offer": "create";
    UpdatesOffers = "offer": "update";
    DeletesOffers = "offer": "delete";
}

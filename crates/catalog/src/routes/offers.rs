//! `/api/offers`.

use axum::{extract::State, middleware::from_fn};
use stoa_contracts::catalog::OfferId;
use stoa_http::{
    CacheRule, Caller, Idempotent, Json, ListQuery, Outcome, PathParts, Permitted, Problem, Reply, cached,
    foreign_cursor,
};
use stoa_kernel::{Actor, Page, SortOrder, Timestamp};
use stoa_platform::database::{Connection, DatabaseError, Tx};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::permitted::{CreatesOffers, DeletesOffers, UpdatesOffers};
use crate::{
    CatalogError, Catalogue, OFFERS,
    discount::state,
    listing::Sight,
    offer::{CreateOffer, Offer, UpdateOffer},
    store::{
        offers,
        roll::{Roll, RollKey},
    },
};

pub(super) fn routes(catalogue: &Catalogue) -> OpenApiRouter {
    let rule = CacheRule { prefix: "offers", ttl: catalogue.0.settings.offers_ttl, visibility };
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .layer(from_fn(cached(rule)))
        .routes(routes!(create))
        .routes(routes!(replace, change, remove))
        .with_state(catalogue.clone())
}

/// Codes are worth money: only who deals with offers sees those that have one, and those that do not run.
fn sight(actor: &Actor) -> Sight {
    if actor.may("offer", "read") { Sight::Everything } else { Sight::Offered }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a cache rule")]
fn visibility(actor: &Actor) -> Option<&'static str> {
    Some(match sight(actor) {
        Sight::Everything => "all",
        Sight::Offered => "running",
    })
}

/// List offers. Others than those who may read all offers see the running ones that need no code.
#[utoipa::path(
    get, path = "/api/offers", tag = "Offers", operation_id = "listOffers", params(ListQuery),
    responses(
        (status = 200, description = "A page of offers", body = Vec<Offer>),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn list(State(catalogue): State<Catalogue>, Caller(actor): Caller, query: ListQuery) -> Outcome {
    let (key, order) = query.sort(&RollKey::NAMES, (RollKey::CreatedAt, SortOrder::Desc))?;
    let roll = Roll { key, order };
    roll.check(&query.page).map_err(|_| foreign_cursor())?;
    let running_at = (sight(&actor) == Sight::Offered).then(|| catalogue.0.clock.now());
    let (request, currency) = (query.page.clone(), catalogue.currency());
    let read = move |connection: &mut Connection<'_>| -> Result<_, DatabaseError> {
        let page: Page<Offer> = offers::page(connection, running_at, (roll, &request), currency)?;
        Ok((page, next_turn(connection, running_at)?))
    };
    let (page, turn) = catalogue.0.database.read(read).await?;
    Ok(Reply::page(&page, &query.page)?.with_tag(OFFERS).holding_until(turn))
}

/// Show an offer.
#[utoipa::path(
    get, path = "/api/offers/{id}", tag = "Offers", operation_id = "getOffer",
    params(("id" = OfferId, Path, description = "The offer's id")),
    responses(
        (status = 200, description = "The offer", body = Offer),
        (status = 304, description = "As it was when it had the `ETag` of `If-None-Match`"),
    ),
)]
async fn show(
    State(catalogue): State<Catalogue>,
    Caller(actor): Caller,
    PathParts(id): PathParts<OfferId>,
) -> Outcome {
    let running_at = (sight(&actor) == Sight::Offered).then(|| catalogue.0.clock.now());
    let currency = catalogue.currency();
    let read = move |connection: &mut Connection<'_>| -> Result<_, DatabaseError> {
        Ok((offers::find(connection, id, currency)?, next_turn(connection, running_at)?))
    };
    let (found, turn) = catalogue.0.database.get(read).await?;
    let shown = |offer: &Offer| running_at.is_none_or(|at| offer.is_automatic() && state(offer, at).is_ok());
    let offer = found.filter(shown).ok_or(CatalogError::UnknownOffer)?;
    Ok(Reply::ok(&offer)?.with_tag(OFFERS).holding_until(turn))
}

/// When what others than the shop's people see changes by itself.
fn next_turn(
    connection: &mut Connection<'_>,
    running_at: Option<Timestamp>,
) -> Result<Option<Timestamp>, DatabaseError> {
    running_at.map_or(Ok(None), |at| offers::next_turn(connection, at))
}

/// Make an offer.
#[utoipa::path(
    post, path = "/api/offers", tag = "Offers", operation_id = "createOffer", request_body = CreateOffer,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request have its effect once")),
    responses(
        (status = 201, description = "The offer", body = Offer),
        (status = 409, description = "The code is taken, or too many offers without a code are active"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn create(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<CreatesOffers>,
    Idempotent { body, once }: Idempotent<CreateOffer>,
) -> Outcome {
    let new = body.checked(catalogue.currency())?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let make = move |tx: &mut Tx<'_>| -> Result<Reply, CatalogError> {
        let offer = shop.create_offer(tx, &occasion, &new)?;
        let reply = Reply::created(&offer).map_err(|Problem(refusal)| refusal)?;
        Ok(reply.at(&format!("/api/offers/{}", offer.id)))
    };
    once.run(&catalogue.0.database, &catalogue.0.clock, make).await
}

/// Change any fields of an offer; those left out stay.
#[utoipa::path(
    put, path = "/api/offers/{id}", tag = "Offers", operation_id = "putOffer",
    params(("id" = OfferId, Path, description = "The offer's id")),
    request_body = UpdateOffer,
    responses(
        (status = 200, description = "The offer", body = Offer),
        (status = 409, description = "The code is taken, or too many offers without a code are active"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn replace(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesOffers>,
    PathParts(id): PathParts<OfferId>,
    Json(body): Json<UpdateOffer>,
) -> Outcome {
    update(&catalogue, &actor, id, body).await
}

/// Change any fields of an offer; those left out stay.
#[utoipa::path(
    patch, path = "/api/offers/{id}", tag = "Offers", operation_id = "patchOffer",
    params(("id" = OfferId, Path, description = "The offer's id")),
    request_body = UpdateOffer,
    responses(
        (status = 200, description = "The offer", body = Offer),
        (status = 409, description = "The code is taken, or too many offers without a code are active"),
    ),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn change(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<UpdatesOffers>,
    PathParts(id): PathParts<OfferId>,
    Json(body): Json<UpdateOffer>,
) -> Outcome {
    update(&catalogue, &actor, id, body).await
}

async fn update(catalogue: &Catalogue, actor: &Actor, id: OfferId, body: UpdateOffer) -> Outcome {
    let changes = body.checked()?;
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(actor));
    let change = move |tx: &mut Tx<'_>| shop.update_offer(tx, &occasion, id, &changes);
    Reply::ok(&catalogue.0.database.write(change).await?)
}

/// Delete an offer.
#[utoipa::path(
    delete, path = "/api/offers/{id}", tag = "Offers", operation_id = "deleteOffer",
    params(("id" = OfferId, Path, description = "The offer's id")),
    responses((status = 204, description = "It is deleted")),
    security(("bearer" = []), ("apiKey" = [])),
)]
async fn remove(
    State(catalogue): State<Catalogue>,
    Permitted { actor, .. }: Permitted<DeletesOffers>,
    PathParts(id): PathParts<OfferId>,
) -> Outcome {
    let (shop, occasion) = (catalogue.clone(), catalogue.occasion(&actor));
    let delete = move |tx: &mut Tx<'_>| shop.delete_offer(tx, &occasion, id);
    catalogue.0.database.write(delete).await?;
    Ok(Reply::no_content())
}

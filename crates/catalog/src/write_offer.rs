//! Making, changing and deleting offers.

use stoa_contracts::catalog::OfferId;
use stoa_kernel::{FieldError, Refusal};
use stoa_platform::{
    Occasion,
    database::{DatabaseError, Tx},
    events::{self, Event},
};

use crate::{
    CatalogError, Catalogue, OFFERS,
    events::{OfferCreated, OfferDeleted, OfferUpdated},
    offer::{NewOffer, Offer, OfferChanges, Target, WantedTarget},
    store::{categories, offers, packages, products},
};

impl Catalogue {
    /// Makes an offer for something that exists.
    pub(crate) fn create_offer(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        new: &NewOffer,
    ) -> Result<Offer, CatalogError> {
        let offer = Offer {
            id: occasion.id(),
            name: new.name.clone(),
            code: new.code.clone(),
            kind: new.worth.kind(),
            worth: new.worth,
            target: found(tx, &new.target)?,
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            max_uses: new.max_uses,
            uses: 0,
            active: new.active,
            created_at: occasion.at,
            updated_at: occasion.at,
            version: 1,
        };
        if offer.is_automatic() && offers::automatic_are_full(tx)? {
            return Err(CatalogError::TooManyOffers);
        }
        offers::insert(tx, &offer).map_err(code_taken)?;
        let Offer { id: offer_id, version, .. } = offer;
        self.tell_of_offer(tx, occasion, &OfferCreated { offer_id, version, name: offer.name.clone() })?;
        Ok(offer)
    }

    /// Changes an offer; one without changes is answered as it stands. Orders keep what it took off them.
    pub(crate) fn update_offer(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: OfferId,
        changes: &OfferChanges,
    ) -> Result<Offer, CatalogError> {
        let known = offers::find_for_change(tx, id, self.currency())?;
        let mut offer = known.ok_or(CatalogError::UnknownOffer)?;
        if *changes == OfferChanges::default() {
            return Ok(offer);
        }
        let was_automatic = offer.is_automatic();
        let target = changes.target.as_ref().map(|target| found(tx, target)).transpose()?;
        offer.change(changes, target, (occasion.at, self.currency()))?;
        if offer.is_automatic() && !was_automatic && offers::automatic_are_full(tx)? {
            return Err(CatalogError::TooManyOffers);
        }
        offers::update(tx, &offer).map_err(code_taken)?;
        let Offer { id: offer_id, version, uses, .. } = offer;
        self.tell_of_offer(tx, occasion, &OfferUpdated { offer_id, version, uses })?;
        Ok(offer)
    }

    /// Deletes an offer. Orders keep what it took off them.
    pub(crate) fn delete_offer(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        id: OfferId,
    ) -> Result<(), CatalogError> {
        let last = offers::delete(tx, id)?.ok_or(CatalogError::UnknownOffer)?;
        Ok(self.tell_of_offer(tx, occasion, &OfferDeleted { offer_id: id, version: last + 1 })?)
    }

    fn tell_of_offer(
        &self,
        tx: &mut Tx<'_>,
        occasion: &Occasion,
        event: &impl Event,
    ) -> Result<(), DatabaseError> {
        events::append(tx, occasion, event)?;
        self.forget(tx, vec![OFFERS]);
        Ok(())
    }
}

/// What an offer is to be for, if there is such a thing.
fn found(tx: &mut Tx<'_>, wanted: &WantedTarget) -> Result<Target, CatalogError> {
    let found = match wanted {
        WantedTarget::Cart => Some(Target::Cart),
        WantedTarget::Product(id) => products::exists(tx, *id)?.then_some(Target::Product(*id)),
        WantedTarget::Package(id) => packages::exists(tx, *id)?.then_some(Target::Package(*id)),
        WantedTarget::Category(name) => {
            categories::find(tx, name)?.map(|category| Target::Category(category.id))
        }
    };
    let unknown = FieldError::new("target.id", "UNKNOWN", "There is no such thing.");
    found.ok_or_else(|| Refusal::invalid(vec![unknown]).into())
}

fn code_taken(error: DatabaseError) -> CatalogError {
    if error.is_unique("offers_code_folded_key") { CatalogError::OfferCodeTaken } else { error.into() }
}

//! One order at a directory: the account, the challenges, the certificate.

use std::time::Duration;

use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::crypto::aws_lc_rs;
use serde::{Deserialize, Serialize};

use super::{
    AcmeSettings,
    error::{AcmeError, told},
    files::Folder,
    shown::{Answer, Shown},
};

/// How often a directory is asked whether it has made up its mind, and for how long.
const POLLING: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_mins(2));

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAccount {
    email: Option<String>,
    credentials: AccountCredentials,
}

/// Orders a certificate for the names of the settings: its key and the certificates, in PEM.
pub(super) async fn certificate(
    settings: &AcmeSettings,
    folder: &Folder,
    shown: &Shown,
) -> Result<String, AcmeError> {
    let mut order = place(settings, folder).await?;
    let answers = answer_challenges(&mut order, shown).await?;
    let status = order.poll_ready(&POLLING).await;
    drop(answers);
    match status {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(reason(&mut order).await),
        // The order says only that a name failed; the name's own answer says why.
        Err(instant_acme::Error::Api(problem)) => {
            let why = reason(&mut order).await;
            let is_known = matches!(why, AcmeError::Unverified { .. });
            return Err(if is_known { why } else { instant_acme::Error::Api(problem).into() });
        }
        Err(error) => return Err(error.into()),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLLING).await?;
    Ok(format!("{key}{chain}"))
}

/// Places the order; with another account if the directory has forgotten ours.
async fn place(settings: &AcmeSettings, folder: &Folder) -> Result<Order, AcmeError> {
    let names: Vec<Identifier> = settings.domains.iter().cloned().map(Identifier::Dns).collect();
    let order = NewOrder::new(&names);
    if let Some(account) = kept_account(settings, folder).await? {
        match account.new_order(&order).await {
            Err(error) if AcmeError::is_unknown_account(&error) => {
                tracing::warn!("the ACME directory does not know our account; another is made");
            }
            placed => return Ok(placed?),
        }
    }
    Ok(new_account(settings, folder).await?.new_order(&order).await?)
}

fn builder(settings: &AcmeSettings) -> Result<AccountBuilder, AcmeError> {
    Ok(match &settings.ca_file {
        Some(file) => Account::builder_with_root(file)?,
        None => Account::builder()?,
    })
}

async fn kept_account(settings: &AcmeSettings, folder: &Folder) -> Result<Option<Account>, AcmeError> {
    let Some(kept) = folder.account()? else { return Ok(None) };
    let Ok(mut kept) = serde_json::from_slice::<KeptAccount>(&kept) else {
        tracing::warn!("the kept account at the ACME directory cannot be read; another is made");
        return Ok(None);
    };
    let account = builder(settings)?.from_credentials(copy(&kept.credentials)?).await?;
    if kept.email != settings.email {
        let contact = contact(settings);
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        match account.update_contacts(&contact).await {
            Err(error) if AcmeError::is_unknown_account(&error) => return Ok(None),
            told => told?,
        }
        kept.email.clone_from(&settings.email);
        keep(folder, &kept)?;
    }
    Ok(Some(account))
}

async fn new_account(settings: &AcmeSettings, folder: &Folder) -> Result<Account, AcmeError> {
    let contact = contact(settings);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    // Settings without the acceptance of the terms do not come this far.
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder(settings)?.create(&wanted, settings.directory.clone(), None).await?;
    keep(folder, &KeptAccount { email: settings.email.clone(), credentials })?;
    Ok(account)
}

fn contact(settings: &AcmeSettings) -> Option<String> {
    settings.email.as_ref().map(|email| format!("mailto:{email}"))
}

fn keep(folder: &Folder, account: &KeptAccount) -> Result<(), AcmeError> {
    let text = serde_json::to_vec(account).map_err(instant_acme::Error::Json)?;
    Ok(folder.keep_account(&text)?)
}

/// The library takes them whole, and does not let them be cloned.
fn copy(credentials: &AccountCredentials) -> Result<AccountCredentials, AcmeError> {
    let copied = serde_json::to_vec(credentials).and_then(|text| serde_json::from_slice(&text));
    Ok(copied.map_err(instant_acme::Error::Json)?)
}

/// Shows the answer to each challenge, then says so.
async fn answer_challenges<'s>(order: &mut Order, shown: &'s Shown) -> Result<Vec<Answer<'s>>, AcmeError> {
    let provider = aws_lc_rs::default_provider();
    let mut answers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = authorization.identifier().to_string().to_ascii_lowercase();
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge(domain));
        };
        answers.push(shown.answer(&domain, challenge.key_authorization().digest().as_ref(), &provider)?);
        challenge.set_ready().await?;
    }
    Ok(answers)
}

/// Why an order failed, as far as the directory tells.
async fn reason(order: &mut Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            break;
        }
        let mut problems = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problems.next() {
            let domain = authorization.identifier().to_string();
            return AcmeError::Unverified { domain, told: told(problem) };
        }
    }
    AcmeError::Refused { told: "the order failed without a reason".into(), cure: "it is tried again later" }
}

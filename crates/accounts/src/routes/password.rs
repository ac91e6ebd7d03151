//! `/api/auth`: passwords that were forgotten, and addresses that are still to be proved.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_http::{Json, Outcome, Reply, RequestContext, SignedIn};
use stoa_kernel::{Actor, Fields};
use utoipa::ToSchema;

use crate::{Accounts, account::EmailAddress, client::Client};

/// Whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ForgottenPassword)]
pub(crate) struct ForgotPasswordBody {
    #[schema(format = Email, max_length = 254, example = "ada@example.com")]
    email: String,
}

/// A new password, by the token of the link that was mailed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PasswordReset)]
pub(crate) struct ResetPasswordBody {
    token: String,
    #[schema(format = Password, min_length = 6, max_length = 1024)]
    new_password: String,
}

/// What will be done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Accepted)]
pub(crate) struct AcceptedView {
    /// A sentence for people.
    message: &'static str,
}

/// Ask for a link to set a new password. The answer is the same for any address, in the same time.
#[utoipa::path(
    post, path = "/api/auth/forgot-password", tag = "auth", request_body = ForgotPasswordBody,
    responses((status = 202, description = "If somebody has this address, a mail is on its way", body = AcceptedView))
)]
pub(crate) async fn forgot_password(
    State(accounts): State<Accounts>,
    context: RequestContext,
    client: Client,
    Json(body): Json<ForgotPasswordBody>,
) -> Outcome {
    let mut fields = Fields::default();
    let email = fields.take("email", EmailAddress::parse(&body.email));
    let Some(email) = email else { return Err(fields.into_refusal().into()) };
    context.take(&context.settings().limits.forgot_password, &format!("address:{}", email.folded())).await?;
    accounts.forgot_password(accounts.occasion(&Actor::Guest), client, email).await?;
    Reply::accepted(&AcceptedView { message: "If somebody has this address, a mail is on its way to it." })
}

/// Set a new password by the token of the link that was mailed; all sessions end.
#[utoipa::path(
    post, path = "/api/auth/reset-password", tag = "auth", request_body = ResetPasswordBody,
    responses((status = 204, description = "Set; all sessions are ended"))
)]
pub(crate) async fn reset_password(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<ResetPasswordBody>,
) -> Outcome {
    let occasion = accounts.occasion(&Actor::Guest);
    accounts.reset_password(occasion, client, &body.token, body.new_password).await?;
    Ok(Reply::no_content())
}

/// Have the link that proves one's address mailed once more.
#[utoipa::path(
    post, path = "/api/auth/verify-email/resend", tag = "auth", security(("bearer" = [])),
    responses((status = 202, description = "A mail is on its way", body = AcceptedView), (status = 409, description = "The address is proved"))
)]
pub(crate) async fn resend_verification(
    State(accounts): State<Accounts>,
    context: RequestContext,
    SignedIn(actor): SignedIn,
) -> Outcome {
    let user = actor.require_user()?.user;
    context.take(&context.settings().limits.forgot_password, &format!("proof:{user}")).await?;
    accounts.resend_verification(accounts.occasion(&actor), user).await?;
    Reply::accepted(&AcceptedView { message: "A mail is on its way." })
}

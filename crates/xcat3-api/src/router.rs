//! The URL table, and the description of the API that is made of it.
//!
//! Every path is served below `/v1` and, for clients that omit it, without.

use axum::routing::get;
use axum::{Router, middleware};
use utoipa::ToSchema;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xcat3_api_types::ErrorBody;

use crate::controllers::{
    boot_device, discovered, hardware, jobs, networks, nics, nodes, osimages, passwds, power,
    provision, root, services,
};
use crate::{Api, error, observe};

/// The resources.
fn table() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(
            nodes::list,
            nodes::create,
            nodes::update,
            nodes::delete
        ))
        .routes(routes!(nodes::info))
        .routes(routes!(nodes::show))
        .routes(routes!(power::show, power::set))
        .routes(routes!(boot_device::show, boot_device::set))
        .routes(routes!(hardware::inventory))
        .routes(routes!(hardware::sensors))
        .routes(routes!(hardware::event_log, hardware::clear_event_log))
        .routes(routes!(hardware::beacon, hardware::set_beacon))
        .routes(routes!(hardware::bios, hardware::set_bios))
        .routes(routes!(
            hardware::media,
            hardware::insert_media,
            hardware::eject_media
        ))
        .routes(routes!(provision::set))
        .routes(routes!(provision::callback))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show, jobs::cancel))
        .routes(routes!(jobs::events))
        .routes(routes!(nics::list, nics::create))
        .routes(routes!(nics::show, nics::update, nics::delete))
        .routes(routes!(nics::by_address))
        .routes(routes!(nics::of_node))
        .routes(routes!(networks::list, networks::create))
        .routes(routes!(networks::show, networks::update, networks::delete))
        .routes(routes!(osimages::list, osimages::create))
        .routes(routes!(osimages::show, osimages::update, osimages::delete))
        .routes(routes!(osimages::by_id))
        .routes(routes!(passwds::list, passwds::create))
        .routes(routes!(passwds::show, passwds::update, passwds::delete))
        .routes(routes!(discovered::list, discovered::forget))
        .routes(routes!(discovered::discover))
        .routes(routes!(services::list))
        .routes(routes!(services::by_hostname))
}

/// The paths and their description.
fn described() -> (Router<Api>, OpenApi) {
    let version = table()
        .routes(routes!(root::version))
        .routes(routes!(root::openapi));
    OpenApiRouter::with_openapi(about())
        .routes(routes!(root::root))
        .nest("/v1", version)
        .split_for_parts()
}

/// The service that answers requests.
pub fn router(api: Api) -> Router {
    let (described, _) = described();
    let (bare, _) = table().split_for_parts();
    described
        .merge(bare)
        .route("/v1/", get(root::version))
        .fallback(error::no_path)
        .method_not_allowed_fallback(error::no_method)
        .layer(middleware::from_fn(observe::observe))
        .with_state(api)
}

/// The description of the API, OpenAPI 3.1.
#[must_use]
pub fn openapi() -> OpenApi {
    described().1
}

fn about() -> OpenApi {
    let text = "Enrols nodes, deploys operating systems on them, controls their power and boot \
        device; one request acts on many nodes and answers for each. Every path below /v1 is also \
        served without that prefix.";
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("xcat3")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(text))
        .license(Some(license))
        .build();
    // What is only named by answers that all paths share is not collected from the paths.
    let mut errors = Vec::new();
    ErrorBody::schemas(&mut errors);
    let components = ComponentsBuilder::new()
        .schema_from::<ErrorBody>()
        .schemas_from_iter(errors)
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

//! The one function that composes the services over one store and one bus, and the order in which
//! they stop.

use std::sync::Arc;

use xcat3_conductor::{Conductor, control_config};
use xcat3_drivers::control::Controls;
use xcat3_service::daemon::Foundation;
use xcat3_service::state_dir::Environment;
use xcat3_service::{Jobs, Slot};

use crate::Settings;
use crate::services::Services;

/// Runs all services until a signal ends them or one fails; returns when all have ended.
///
/// They stop in the order of their dependence: the API first, so that those who wait for an answer
/// still get it from a conductor at work; the network service last, so that nodes boot until then.
///
/// # Errors
/// The API's address can't be listened on, a file that the configuration names can't be read, or a
/// service failed.
pub async fn compose(on: Foundation) -> anyhow::Result<()> {
    let Settings {
        api,
        conductor,
        control,
        network,
        install,
    } = Settings::read(&on.config)?;
    let listener = xcat3_api::bind(api.listen).await?;
    let address = listener.local_addr()?;
    let home = Environment::read().home;
    let slots = [(); 3].map(|()| Slot::alone(&on.slot.hostname));
    let [of_network, of_conductor, of_api] = slots.clone();
    let home = home.as_deref();
    let network = xcat3_network::Startup::new(network, &install, &on.state, home, of_network)?;
    let jobs = Jobs::new(on.store.clone(), on.bus.clone());
    let controls = Arc::new(Controls::new(&control_config(&control, &on.state)));
    let drain = conductor.drain_s.duration();
    let conductor = Conductor::new(conductor, of_conductor, on.store.clone(), on.bus, controls);

    let mut services = Services::new(drain);
    let (store, network_jobs) = (on.store.clone(), jobs.clone());
    services.start("network service", |stop| async move {
        Ok(xcat3_network::run(network, store, network_jobs, stop).await?)
    });
    services.start("conductor", |stop| async move {
        conductor.run(stop).await;
        Ok(())
    });
    let store = on.store.clone();
    services.start("API", |stop| async move {
        Ok(xcat3_api::serve(listener, &api, &of_api, store, jobs, stop).await?)
    });
    eprintln!(
        "xcat3d: REST API on http://{address}, state in {}",
        on.state.path().display()
    );
    let all_serve = tokio::spawn(async move {
        for slot in &slots {
            slot.until_serving().await;
        }
        on.slot.serving();
    });
    let ended = services.until(&on.shutdown).await;
    all_serve.abort();
    on.store.close().await;
    ended
}

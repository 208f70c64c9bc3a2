//! Actions of resources (`#ComputerSystem.Reset`): their allowed parameters, how they are invoked, and
//! the tasks that some of them start.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::{ChangeResponse, Client};
use crate::error::{BmcMessage, Error, sanitize};
use crate::resource::Resource;

/// The interval before a task is read first. It doubles each time.
const FIRST_POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The longest interval between two reads of a task.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// An action that a resource offers.
#[derive(Debug)]
pub(crate) struct Action {
    name: &'static str,
    target: String,
    parameters: Resource,
    info: Option<String>,
}

impl Action {
    /// The action `name` (without `#`) of `resource`, if it has that.
    pub fn from_resource(resource: &Resource, name: &'static str) -> Option<Self> {
        let parameters = resource.value_at(&format!("Actions/#{name}"))?;
        let parameters = Resource::from_value(parameters.clone());
        Some(Self {
            name,
            target: parameters.text("target")?.to_owned(),
            info: parameters.text("@Redfish.ActionInfo").map(str::to_owned),
            parameters,
        })
    }
}

impl Client {
    /// The allowed values of `parameter` of `action`, if the BMC lists them.
    pub(crate) async fn allowed_values(
        &mut self,
        action: &Action,
        parameter: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        if let Some(allowed) = action.parameters.allowable_values(parameter) {
            return Ok(Some(owned(allowed)));
        }
        let Some(info) = &action.info else {
            return Ok(None);
        };
        let info = match self.get(info).await {
            Ok(info) => info,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => return Ok(None),
        };
        let parameters = info.objects("Parameters");
        let named = parameters
            .iter()
            .find(|described| described.text("Name") == Some(parameter));
        let allowed = named.map(|described| described.texts("AllowableValues"));
        Ok(allowed.filter(|allowed| !allowed.is_empty()).map(owned))
    }

    /// Invokes `action` and waits for the end of the task that it may start.
    pub(crate) async fn invoke(&mut self, action: &Action, content: &Value) -> Result<(), Error> {
        let response = self.post(&action.target, content).await?;
        self.wait_for_task(action.name, response).await
    }

    /// Changes `resource` and waits for the end of the task that the change may start.
    pub(crate) async fn change(
        &mut self,
        resource: &Resource,
        change: &Value,
    ) -> Result<(), Error> {
        let response = self.patch(resource, change).await?;
        self.wait_for_task("the change", response).await
    }

    async fn wait_for_task(&mut self, name: &str, response: ChangeResponse) -> Result<(), Error> {
        if response.status != StatusCode::ACCEPTED {
            return Ok(());
        }
        let path = response.location.clone().or_else(|| {
            let task = response.resource.as_ref()?;
            task.text("@odata.id").map(str::to_owned)
        });
        let Some(path) = path else {
            // The BMC accepted the request and names no task to follow.
            return Ok(());
        };
        let path = self.local_path(&path)?;
        let limit = self.timeouts().task;
        let deadline = Instant::now() + limit;
        let ended = timeout_at(
            deadline,
            self.follow_task(name, &path, response.retry_after),
        )
        .await;
        ended.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Err(Error::TaskFailed(format!(
                "{name} was started and has not ended after {seconds} s"
            )))
        })
    }

    async fn follow_task(
        &mut self,
        name: &str,
        path: &str,
        mut retry_after: Option<u64>,
    ) -> Result<(), Error> {
        let mut interval = FIRST_POLL_INTERVAL;
        loop {
            let wanted = retry_after.map(Duration::from_secs);
            sleep(wanted.unwrap_or(interval).min(MAX_POLL_INTERVAL)).await;
            interval = (interval * 2).min(MAX_POLL_INTERVAL);
            let response = match self.poll(path).await {
                Ok(response) => response,
                // The monitor of an ended task may be gone.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(Error::Busy(_)) => continue,
                Err(error) => return Err(error),
            };
            retry_after = response.retry_after;
            let task = response.resource.as_ref();
            match task.and_then(|task| task.text("TaskState")) {
                Some("Completed") => return completed(name, task),
                Some(state @ ("Exception" | "Killed" | "Cancelled" | "Interrupted")) => {
                    return Err(failed(name, state, task));
                }
                None if response.status != StatusCode::ACCEPTED => return Ok(()),
                _ => {}
            }
        }
    }
}

fn completed(name: &str, task: Option<&Resource>) -> Result<(), Error> {
    match task.and_then(|task| task.text("TaskStatus")) {
        Some("Critical") => Err(failed(name, "Completed (Critical)", task)),
        _ => Ok(()),
    }
}

fn failed(name: &str, state: &str, task: Option<&Resource>) -> Error {
    let messages = task
        .map(|task| task.objects("Messages"))
        .unwrap_or_default();
    let messages: Vec<String> = messages
        .iter()
        .filter_map(|message| message.short_text("Message"))
        .take(3)
        .collect();
    let message = BmcMessage::new(&messages.join(" "));
    let state = sanitize(state, 40);
    Error::TaskFailed(format!("{name} was started and ended as {state}{message}"))
}

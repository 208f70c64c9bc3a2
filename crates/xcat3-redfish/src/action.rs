//! Actions of resources (`#ComputerSystem.Reset`), what they allow, and the tasks that some of them
//! become.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::{Answer, Client};
use crate::error::{Error, Said};
use crate::resource::Resource;

/// How long is waited at first before a task is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// And later at most.
const LATER_LOOK: Duration = Duration::from_secs(5);

/// An action that a resource offers.
#[derive(Debug)]
pub(crate) struct Action {
    name: &'static str,
    target: String,
    parameters: Resource,
    info: Option<String>,
}

impl Action {
    /// The action `name` (without `#`) of `resource`, where it offers it.
    pub fn of(resource: &Resource, name: &'static str) -> Option<Self> {
        let parameters = resource.at(&format!("Actions/#{name}"))?;
        let parameters = Resource::part(parameters.clone());
        Some(Self {
            name,
            target: parameters.text("target")?.to_owned(),
            info: parameters.text("@Redfish.ActionInfo").map(str::to_owned),
            parameters,
        })
    }
}

impl Client {
    /// What `parameter` of `action` may be, where the BMC says so.
    pub(crate) async fn allowed(
        &mut self,
        action: &Action,
        parameter: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        if let Some(allowed) = action.parameters.allowable(parameter) {
            return Ok(Some(owned(allowed)));
        }
        let Some(info) = &action.info else {
            return Ok(None);
        };
        let info = match self.get(info).await {
            Ok(info) => info,
            Err(error) if error.is_final() => return Err(error),
            Err(_) => return Ok(None),
        };
        let parameters = info.parts("Parameters");
        let named = parameters
            .iter()
            .find(|part| part.text("Name") == Some(parameter));
        let allowed = named.map(|part| part.texts("AllowableValues"));
        Ok(allowed.filter(|allowed| !allowed.is_empty()).map(owned))
    }

    /// Has `action` carried out and waits until its task, where it becomes one, has ended.
    pub(crate) async fn act(&mut self, action: &Action, content: &Value) -> Result<(), Error> {
        let answer = self.post(&action.target, content).await?;
        self.finish(action.name, answer).await
    }

    /// Changes `resource`, and waits likewise.
    pub(crate) async fn change(
        &mut self,
        resource: &Resource,
        change: &Value,
    ) -> Result<(), Error> {
        let answer = self.patch(resource, change).await?;
        self.finish("the change", answer).await
    }

    /// Waits until what answered `answer` is done.
    pub(crate) async fn finish(&mut self, name: &str, answer: Answer) -> Result<(), Error> {
        if answer.status != StatusCode::ACCEPTED {
            return Ok(());
        }
        let place = answer.location.clone().or_else(|| {
            let task = answer.resource.as_ref()?;
            task.text("@odata.id").map(str::to_owned)
        });
        let Some(place) = place else {
            // It says that it will do it, and not where that can be followed.
            return Ok(());
        };
        let place = self.here(&place, "refers")?;
        let patience = self.patience().task;
        let end = Instant::now() + patience;
        match timeout_at(end, self.watch(name, &place, answer.retry_after)).await {
            Ok(ended) => ended,
            Err(_) => {
                let seconds = patience.as_secs();
                Err(Error::Undone(format!(
                    "{name} was begun and is not done after {seconds} s"
                )))
            }
        }
    }

    async fn watch(&mut self, name: &str, place: &str, first: Option<u64>) -> Result<(), Error> {
        let mut pause = FIRST_LOOK;
        let mut told = first;
        loop {
            let asked = told.map(Duration::from_secs);
            sleep(asked.unwrap_or(pause).min(LATER_LOOK)).await;
            pause = (pause * 2).min(LATER_LOOK);
            let answer = match self.look(place).await {
                Ok(answer) => answer,
                // A monitor of a task that has ended may be gone.
                Err(error) if error.is_absent() => return Ok(()),
                Err(Error::Busy(_)) => continue,
                Err(error) => return Err(error),
            };
            told = answer.retry_after;
            let state = answer
                .resource
                .as_ref()
                .and_then(|task| task.text("TaskState"));
            match state {
                Some("Completed") => return ended_well(name, answer.resource.as_ref()),
                Some("Exception" | "Killed" | "Cancelled" | "Interrupted") => {
                    return Err(failed(
                        name,
                        state.unwrap_or_default(),
                        answer.resource.as_ref(),
                    ));
                }
                Some(_) => {}
                None if answer.status != StatusCode::ACCEPTED => return Ok(()),
                None => {}
            }
        }
    }
}

fn ended_well(name: &str, task: Option<&Resource>) -> Result<(), Error> {
    match task.and_then(|task| task.text("TaskStatus")) {
        Some("Critical") => Err(failed(name, "Completed (Critical)", task)),
        _ => Ok(()),
    }
}

fn failed(name: &str, state: &str, task: Option<&Resource>) -> Error {
    let messages = task.map(|task| task.parts("Messages")).unwrap_or_default();
    let said: Vec<String> = messages
        .iter()
        .filter_map(|message| message.words("Message"))
        .take(3)
        .collect();
    let said = Said::new(&said.join(" "));
    let state = crate::error::tame(state, 40);
    Error::Undone(format!("{name} was begun and ended as {state}{said}"))
}

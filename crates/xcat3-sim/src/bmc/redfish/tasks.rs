//! Tasks of a simulated BMC: what was answered with 202 and goes on (DSP0266 section 12.2).

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};

/// Tasks that a BMC remembers.
const REMEMBERED: usize = 32;
const TASKS: &str = "/redfish/v1/TaskService/Tasks";
const MONITORS: &str = "/redfish/v1/TaskService/TaskMonitors";

/// The tasks of one machine.
#[derive(Debug, Default)]
pub struct Tasks {
    list: VecDeque<Task>,
    started: u64,
}

#[derive(Debug)]
struct Task {
    id: u64,
    name: &'static str,
    done: bool,
}

impl Tasks {
    /// Notes a task that runs, and gives its id.
    pub fn start(&mut self, name: &'static str) -> u64 {
        self.started += 1;
        if self.list.len() == REMEMBERED {
            self.list.pop_front();
        }
        let id = self.started;
        let done = false;
        self.list.push_back(Task { id, name, done });
        id
    }

    /// Notes that a task is done.
    pub fn finish(&mut self, id: u64) {
        if let Some(task) = self.list.iter_mut().find(|task| task.id == id) {
            task.done = true;
        }
    }

    fn find(&self, id: &str) -> Option<&Task> {
        let id: u64 = id.parse().ok()?;
        self.list.iter().find(|task| task.id == id)
    }
}

impl Task {
    fn document(&self) -> Value {
        let (state, percent) = if self.done {
            ("Completed", 100)
        } else {
            ("Running", 50)
        };
        json!({
            "@odata.id": format!("{TASKS}/{}", self.id),
            "@odata.type": "#Task.v1_4_3.Task",
            "Id": self.id.to_string(),
            "Name": self.name,
            "TaskState": state,
            "TaskStatus": "OK",
            "PercentComplete": percent,
            "TaskMonitor": format!("{MONITORS}/{}", self.id),
            "Messages": [],
        })
    }

    /// 202 while it runs, with where to look again.
    fn running(&self) -> Answer {
        let mut answer = Answer::document(self.document());
        answer.status = 202;
        let monitor = format!("{MONITORS}/{}", self.id);
        answer
            .with("location", monitor)
            .with("retry-after", "1".to_owned())
    }
}

/// Answers now with a task, and does the work after the pause of the options.
pub(super) fn begin(
    face: &std::sync::Arc<Face>,
    index: usize,
    name: &'static str,
    work: impl FnOnce(&Face) + Send + 'static,
) -> Answer {
    let mut side = face.side(index);
    let id = side.tasks.start(name);
    let answer = side.tasks.find(&id.to_string()).map(Task::running);
    drop(side);
    face.later(face.options.task_time, move |face| {
        work(face);
        face.side(index).tasks.finish(id);
    });
    answer.unwrap_or_else(|| Answer::empty(202))
}

/// The task service; `parts` are those of the path behind `TaskService`.
pub(super) fn answer(face: &Face, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let side = face.side(index);
    match parts {
        [] => Answer::document(json!({
            "@odata.id": "/redfish/v1/TaskService",
            "@odata.type": "#TaskService.v1_1_4.TaskService",
            "Id": "TaskService",
            "Name": "Task Service",
            "ServiceEnabled": true,
            "Tasks": {"@odata.id": TASKS},
        })),
        ["Tasks"] => {
            let ids = side.tasks.list.iter().map(|task| task.id.to_string());
            let all: Vec<String> = ids.collect();
            super::resources::collection(ask, "Task", "Tasks", &all)
        }
        ["Tasks", id] => match side.tasks.find(id) {
            Some(task) => Answer::document(task.document()),
            None => Answer::not_found(ask.path),
        },
        ["TaskMonitors", id] => match side.tasks.find(id) {
            Some(task) if task.done => Answer::empty(204),
            Some(task) => task.running(),
            None => Answer::not_found(ask.path),
        },
        _ => Answer::not_found(ask.path),
    }
}

//! Runs the tasks of one simulation, one step of one task at a time: which of those that can go on does is drawn from
//! the seed. No threads, and no runtime. It must not know what the tasks do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::BoxFuture;

use super::timeline::Timeline;

/// A task, by the order in which they were started.
pub type TaskId = u64;

/// The tasks of one simulation.
pub struct Executor {
    timeline: Timeline,
    tasks: BTreeMap<TaskId, Task>,
    started: TaskId,
    ready: Arc<Ready>,
    paused: BTreeSet<TaskId>,
}

struct Task {
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

/// The tasks that can go on.
#[derive(Default)]
struct Ready(Mutex<BTreeSet<TaskId>>);

impl Ready {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct TaskWaker {
    task: TaskId,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

impl Executor {
    /// No tasks yet.
    pub fn new(timeline: &Timeline) -> Self {
        Self {
            timeline: timeline.clone(),
            tasks: BTreeMap::new(),
            started: 0,
            ready: Arc::default(),
            paused: BTreeSet::new(),
        }
    }

    /// Starts a task.
    pub fn start(&mut self, future: BoxFuture<'static, ()>) -> TaskId {
        self.started += 1;
        let task = self.started;
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(TaskWaker { task, ready }));
        self.tasks.insert(task, Task { future, waker });
        self.ready.lock().insert(task);
        task
    }

    /// Ends a task where it stands: what it holds is dropped.
    pub fn kill(&mut self, task: TaskId) {
        self.paused.remove(&task);
        self.tasks.remove(&task);
        self.ready.lock().remove(&task);
    }

    /// Lets a task stand still, or go on.
    pub fn pause(&mut self, task: TaskId, paused: bool) {
        if paused {
            self.paused.insert(task);
        } else {
            self.paused.remove(&task);
        }
    }

    /// Whether the task is still there.
    pub fn runs(&self, task: TaskId) -> bool {
        self.tasks.contains_key(&task)
    }

    /// One step of one task that can go on; or, if none can, on to when one can, but not beyond `until`. False if
    /// nothing is left to do before that time.
    pub fn step(&mut self, until: Duration) -> bool {
        match self.pick() {
            Some(task) => {
                self.poll(task);
                true
            }
            None => match self.timeline.next_due() {
                Some(due) if due <= until => {
                    self.timeline.advance_to(due);
                    true
                }
                _ => {
                    self.timeline.advance_to(until);
                    false
                }
            },
        }
    }

    fn pick(&self) -> Option<TaskId> {
        let mut ready = self.ready.lock();
        let can = |task: &&TaskId| !self.paused.contains(task);
        let count = ready.iter().filter(can).count();
        if count == 0 {
            return None;
        }
        let chosen = self.timeline.below(count);
        let task = ready.iter().filter(can).nth(chosen).copied()?;
        ready.remove(&task);
        Some(task)
    }

    fn poll(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let waker = task.waker.clone();
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(()) = polled {
            self.tasks.remove(&id);
        }
    }
}

//! Rows, locks and transactions as PostgreSQL has them under READ COMMITTED, in memory: what a statement sees, whom it
//! waits for, what it finds when the wait is over, and who is refused when all wait for each other. The differential
//! test holds it to the real one. It must not know what the rows mean.
//!
//! What may have to wait is polled: it registers the waker, takes its place in the queue, and goes on where it stood
//! when it is polled again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeBounds;
use std::task::{Poll, Waker};

/// A session.
pub type SessionId = u64;

/// Why the database refused a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// All wait for each other, and this one is given up.
    Deadlock,
    /// There is a row of that key already.
    Duplicate,
    /// An earlier statement of the transaction was refused.
    Aborted,
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// With others who only read.
    Shared,
    /// Alone.
    Exclusive,
}

impl Mode {
    fn conflicts(self, other: Mode) -> bool {
        self == Mode::Exclusive || other == Mode::Exclusive
    }
}

/// How long a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Until the transaction ends.
    TransactionEnds,
    /// Until the session ends.
    SessionEnds,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Resource<K> {
    Advisory(i64),
    Row(K),
}

#[derive(Debug, Default)]
struct Lock {
    holders: Vec<(SessionId, Mode, Until)>,
    waiting: VecDeque<(SessionId, Mode, Waker)>,
}

impl Lock {
    fn held_by(&self, session: SessionId) -> Option<Mode> {
        let own = self
            .holders
            .iter()
            .filter(|(holder, ..)| *holder == session);
        own.map(|(_, mode, _)| *mode).max()
    }

    /// Who holds what conflicts.
    fn holding(&self, session: SessionId, mode: Mode) -> BTreeSet<SessionId> {
        let holders = self.holders.iter();
        let conflicting =
            holders.filter(|(other, held, _)| *other != session && mode.conflicts(*held));
        conflicting.map(|(other, ..)| *other).collect()
    }

    /// Whom a session waits for: who holds what conflicts, and who has waited longer for it.
    fn before(&self, session: SessionId, mode: Mode) -> BTreeSet<SessionId> {
        let ahead = self
            .waiting
            .iter()
            .take_while(|(other, ..)| *other != session);
        let ahead = ahead.filter(|(_, asked, _)| mode.conflicts(*asked));
        let mut before = self.holding(session, mode);
        before.extend(ahead.map(|(other, ..)| *other));
        before
    }
}

#[derive(Debug)]
struct Transaction<K, V> {
    explicit: bool,
    aborted: bool,
    writes: BTreeMap<K, Option<V>>,
}

/// All rows, with who works on them.
#[derive(Debug)]
pub struct Rows<K, V> {
    committed: BTreeMap<K, V>,
    transactions: BTreeMap<SessionId, Transaction<K, V>>,
    locks: BTreeMap<Resource<K>, Lock>,
    sessions: SessionId,
    deadlocks: u64,
    duplicates: u64,
}

impl<K: Ord + Clone, V: Clone> Default for Rows<K, V> {
    fn default() -> Self {
        Self {
            committed: BTreeMap::new(),
            transactions: BTreeMap::new(),
            locks: BTreeMap::new(),
            sessions: 0,
            deadlocks: 0,
            duplicates: 0,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Rows<K, V> {
    /// Lets a session in.
    pub fn open(&mut self) -> SessionId {
        self.sessions += 1;
        self.sessions
    }

    /// Ends a session: what it had not committed is taken back, and all its locks are free.
    pub fn end(&mut self, session: SessionId) {
        self.transactions.remove(&session);
        self.release(session, Until::SessionEnds);
    }

    /// Begins a transaction; one that was begun goes on.
    ///
    /// # Errors
    /// [`Refused::Aborted`].
    pub fn begin(&mut self, session: SessionId) -> Result<(), Refused> {
        self.statement(session)?;
        if let Some(transaction) = self.transactions.get_mut(&session) {
            transaction.explicit = true;
        }
        Ok(())
    }

    /// Whether the session is in a transaction that it began.
    pub fn in_transaction(&self, session: SessionId) -> bool {
        self.transactions
            .get(&session)
            .is_some_and(|transaction| transaction.explicit)
    }

    /// Makes what the transaction wrote durable, and gives it; nothing if a statement of it was refused.
    pub fn commit(&mut self, session: SessionId) -> BTreeMap<K, Option<V>> {
        let Some(transaction) = self.transactions.remove(&session) else {
            return BTreeMap::new();
        };
        let writes = match transaction.aborted {
            true => BTreeMap::new(),
            false => transaction.writes,
        };
        for (key, row) in &writes {
            match row {
                Some(row) => self.committed.insert(key.clone(), row.clone()),
                None => self.committed.remove(key),
            };
        }
        self.release(session, Until::TransactionEnds);
        writes
    }

    /// Takes back what the transaction wrote.
    pub fn roll_back(&mut self, session: SessionId) {
        self.transactions.remove(&session);
        self.release(session, Until::TransactionEnds);
    }

    /// A statement begins. One outside of a transaction is a transaction of its own.
    ///
    /// # Errors
    /// The transaction's own, if an earlier statement was refused.
    pub fn statement(&mut self, session: SessionId) -> Result<(), Refused> {
        let transaction = self
            .transactions
            .entry(session)
            .or_insert_with(|| Transaction {
                explicit: false,
                aborted: false,
                writes: BTreeMap::new(),
            });
        match transaction.aborted {
            true => Err(Refused::Aborted),
            false => Ok(()),
        }
    }

    /// A statement was refused, or given up: the transaction can only be taken back, and holds nothing any more.
    pub fn abort(&mut self, session: SessionId) {
        if let Some(transaction) = self.transactions.get_mut(&session) {
            transaction.writes.clear();
            transaction.aborted = true;
            if !transaction.explicit {
                self.transactions.remove(&session);
            }
        }
        self.release(session, Until::TransactionEnds);
    }

    /// A row as this session sees it: what it wrote itself, and otherwise what is committed.
    pub fn get(&self, session: SessionId, key: &K) -> Option<&V> {
        let own = self.transactions.get(&session);
        match own.and_then(|transaction| transaction.writes.get(key)) {
            Some(own) => own.as_ref(),
            None => self.committed.get(key),
        }
    }

    /// The rows of these keys as this session sees them, by key.
    pub fn scan<R: RangeBounds<K> + Clone>(&self, session: SessionId, keys: R) -> BTreeMap<K, V> {
        let committed = self.committed.range(keys.clone());
        let mut rows: BTreeMap<K, V> = committed
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect();
        if let Some(transaction) = self.transactions.get(&session) {
            for (key, row) in transaction.writes.range(keys) {
                match row {
                    Some(row) => rows.insert(key.clone(), row.clone()),
                    None => rows.remove(key),
                };
            }
        }
        rows
    }

    /// What is committed, whoever works on it.
    pub fn committed(&self) -> &BTreeMap<K, V> {
        &self.committed
    }

    /// Puts a row as if it had always been there.
    pub fn seed(&mut self, key: K, row: V) {
        self.committed.insert(key, row);
    }

    /// Takes an advisory lock.
    ///
    /// # Errors
    /// [`Refused::Deadlock`].
    pub fn lock(
        &mut self,
        session: SessionId,
        key: i64,
        mode: Mode,
        waker: &Waker,
    ) -> Poll<Result<(), Refused>> {
        let until = Until::TransactionEnds;
        self.poll_lock(session, Resource::Advisory(key), mode, until, waker)
    }

    /// Takes an advisory lock for the session, if nobody has it.
    pub fn try_lock(&mut self, session: SessionId, key: i64) -> bool {
        let lock = self.locks.entry(Resource::Advisory(key)).or_default();
        let free = lock.held_by(session) == Some(Mode::Exclusive)
            || lock.before(session, Mode::Exclusive).is_empty();
        if free {
            let holder = (session, Mode::Exclusive, Until::SessionEnds);
            lock.holders.push(holder);
        }
        free
    }

    /// Locks a row that fits, as `select .. for no key update` does. False if none fits: of a row that another works on
    /// that counts which he leaves.
    ///
    /// # Errors
    /// [`Refused::Deadlock`].
    pub fn lock_row(
        &mut self,
        session: SessionId,
        key: &K,
        fits: impl Fn(&V) -> bool,
        waker: &Waker,
    ) -> Poll<Result<bool, Refused>> {
        let resource = Resource::Row(key.clone());
        if !self.waits(session, &resource) && !self.get(session, key).is_some_and(&fits) {
            return Poll::Ready(Ok(false));
        }
        let locked = self.poll_lock(
            session,
            resource,
            Mode::Exclusive,
            Until::TransactionEnds,
            waker,
        );
        locked.map_ok(|()| self.get(session, key).is_some_and(fits))
    }

    /// Changes a row that fits, as `update .. where` does. False if none fits.
    ///
    /// # Errors
    /// [`Refused::Deadlock`].
    pub fn update(
        &mut self,
        session: SessionId,
        key: &K,
        fits: impl Fn(&V) -> bool,
        change: impl FnOnce(&mut V),
        waker: &Waker,
    ) -> Poll<Result<bool, Refused>> {
        let locked = self.lock_row(session, key, fits, waker);
        locked.map_ok(|fits| {
            if fits && let Some(mut row) = self.get(session, key).cloned() {
                change(&mut row);
                self.write(session, key.clone(), Some(row));
            }
            fits
        })
    }

    /// Takes a row away, as `delete .. where` does. False if there is none.
    ///
    /// # Errors
    /// [`Refused::Deadlock`].
    pub fn delete(
        &mut self,
        session: SessionId,
        key: &K,
        waker: &Waker,
    ) -> Poll<Result<bool, Refused>> {
        let locked = self.lock_row(session, key, |_| true, waker);
        locked.map_ok(|there| {
            if there {
                self.write(session, key.clone(), None);
            }
            there
        })
    }

    /// Adds a row. One of the same key that another has yet to commit is waited for.
    ///
    /// # Errors
    /// [`Refused::Duplicate`], [`Refused::Deadlock`].
    pub fn insert(
        &mut self,
        session: SessionId,
        key: &K,
        row: V,
        waker: &Waker,
    ) -> Poll<Result<(), Refused>> {
        if self.get(session, key).is_some() && !self.is_written_by_another(session, key) {
            self.duplicates += 1;
            return Poll::Ready(Err(Refused::Duplicate));
        }
        let locked = match self.claim(session, key, waker) {
            Poll::Ready(locked) => locked,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(locked.and_then(|()| {
            if self.get(session, key).is_some() {
                self.duplicates += 1;
                return Err(Refused::Duplicate);
            }
            self.write(session, key.clone(), Some(row));
            Ok(())
        }))
    }

    /// Puts a row in the place of whatever is there, as `insert .. on conflict do update` does.
    ///
    /// # Errors
    /// [`Refused::Deadlock`].
    pub fn put(
        &mut self,
        session: SessionId,
        key: &K,
        row: V,
        waker: &Waker,
    ) -> Poll<Result<(), Refused>> {
        let locked = self.claim(session, key, waker);
        locked.map_ok(|()| self.write(session, key.clone(), Some(row)))
    }

    /// How often all waited for each other.
    pub fn deadlocks(&self) -> u64 {
        self.deadlocks
    }

    /// How often a row was there already.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether the session waits for a lock.
    pub fn is_waiting(&self, session: SessionId) -> bool {
        self.locks
            .values()
            .any(|lock| lock.waiting.iter().any(|(other, ..)| *other == session))
    }

    /// Waits no more.
    pub fn give_up(&mut self, session: SessionId) {
        for lock in self.locks.values_mut() {
            if lock.waiting.iter().any(|(other, ..)| *other == session) {
                lock.waiting.retain(|(other, ..)| *other != session);
                lock.waiting
                    .iter()
                    .for_each(|(.., waker)| waker.wake_by_ref());
            }
        }
    }

    fn claim(&mut self, session: SessionId, key: &K, waker: &Waker) -> Poll<Result<(), Refused>> {
        let (resource, until) = (Resource::Row(key.clone()), Until::TransactionEnds);
        self.poll_lock(session, resource, Mode::Exclusive, until, waker)
    }

    fn is_written_by_another(&self, session: SessionId, key: &K) -> bool {
        let mut others = self
            .transactions
            .iter()
            .filter(|(other, _)| **other != session);
        others.any(|(_, transaction)| transaction.writes.contains_key(key))
    }

    fn write(&mut self, session: SessionId, key: K, row: Option<V>) {
        if let Some(transaction) = self.transactions.get_mut(&session) {
            transaction.writes.insert(key, row);
        }
    }

    fn waits(&self, session: SessionId, resource: &Resource<K>) -> bool {
        let lock = self.locks.get(resource);
        lock.is_some_and(|lock| lock.waiting.iter().any(|(other, ..)| *other == session))
    }

    fn poll_lock(
        &mut self,
        session: SessionId,
        resource: Resource<K>,
        mode: Mode,
        until: Until,
        waker: &Waker,
    ) -> Poll<Result<(), Refused>> {
        let lock = self.locks.entry(resource).or_default();
        if lock.held_by(session).is_some_and(|held| held >= mode) {
            return Poll::Ready(Ok(()));
        }
        if lock.before(session, mode).is_empty() {
            lock.waiting.retain(|(other, ..)| *other != session);
            lock.holders.push((session, mode, until));
            return Poll::Ready(Ok(()));
        }
        let asked = (session, mode, waker.clone());
        let place = lock
            .waiting
            .iter()
            .position(|(other, ..)| *other == session);
        if let Some(place) = place {
            lock.waiting[place] = asked;
            return Poll::Pending;
        }
        if lock.held_by(session).is_some() {
            // Who holds it already waits before those who wait for him.
            lock.waiting.push_front(asked);
        } else {
            lock.waiting.push_back(asked);
        }
        if self.waits_for_itself(session, Lock::holding) {
            self.deadlocks += 1;
            self.give_up(session);
            return Poll::Ready(Err(Refused::Deadlock));
        }
        if self.waits_for_itself(session, Lock::before) {
            self.end_waits_for_order_alone();
        }
        Poll::Pending
    }

    /// Whether a session waits for itself in the end, if everybody waits for those whom `before` gives.
    fn waits_for_itself(
        &self,
        session: SessionId,
        before: fn(&Lock, SessionId, Mode) -> BTreeSet<SessionId>,
    ) -> bool {
        let mut reached = BTreeSet::new();
        let mut next = vec![session];
        while let Some(one) = next.pop() {
            for lock in self.locks.values() {
                let asked = lock.waiting.iter().find(|(other, ..)| *other == one);
                let Some((_, mode, _)) = asked else { continue };
                for other in before(lock, one, *mode) {
                    if other == session {
                        return true;
                    }
                    if reached.insert(other) {
                        next.push(other);
                    }
                }
            }
        }
        false
    }

    /// Those whom only the order of a queue keeps waiting are let before the others: all wait for each other, and that
    /// is less than to refuse one.
    fn end_waits_for_order_alone(&mut self) {
        for lock in self.locks.values_mut() {
            let all: Vec<_> = lock.waiting.drain(..).collect();
            let (first, then): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|(session, mode, _)| lock.holding(*session, *mode).is_empty());
            first.iter().for_each(|(.., waker)| waker.wake_by_ref());
            lock.waiting.extend(first);
            lock.waiting.extend(then);
        }
    }

    /// Frees what a session holds no longer than that, and wakes who waits for it.
    fn release(&mut self, session: SessionId, no_longer_than: Until) {
        self.give_up(session);
        self.locks.retain(|_, lock| {
            let held = lock.holders.len();
            lock.holders
                .retain(|(holder, _, until)| *holder != session || *until > no_longer_than);
            if lock.holders.len() < held {
                lock.waiting
                    .iter()
                    .for_each(|(.., waker)| waker.wake_by_ref());
            }
            !lock.holders.is_empty() || !lock.waiting.is_empty()
        });
    }
}

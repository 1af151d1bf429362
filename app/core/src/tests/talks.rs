//! Issues and what is said about them against a plain model: who may do what, what there is
//! afterwards, and who is told.

use std::collections::{BTreeMap, BTreeSet};

use guts_schema::proto::{self, CloseReason, Reaction, RepoRole};
use guts_schema::tx::{IssueAction, RepoAction, ThreadAction};
use guts_schema::{AccountId, Action, RepoId, events, keys};
use proptest::prelude::*;
use prost::Message;

use crate::modules::repo::{Format, GenesisRepo};
use crate::testing::{Person, World, together};
use crate::whole::Whole;

const PINS_MAX: usize = 3;
const LABELS: [&str; 2] = ["bug", "ui"];
const REASONS: [CloseReason; 3] =
    [CloseReason::Done, CloseReason::NotPlanned, CloseReason::Duplicate];
const REACTIONS: [Reaction; 2] = [Reaction::Heart, Reaction::Rocket];

/// What a word of a text names: a thread, here or in one of the two, or somebody.
enum Names {
    Nothing,
    Here(usize),
    Thread(usize, usize),
    Person(usize),
}

const WORDS: [(&str, Names); 8] = [
    ("fine", Names::Nothing),
    ("#1", Names::Here(1)),
    ("#2", Names::Here(2)),
    ("alice/hello#1", Names::Thread(0, 1)),
    ("alice/hello#3", Names::Thread(0, 3)),
    ("alice/other#1", Names::Thread(1, 1)),
    ("@alice", Names::Person(0)),
    ("@bob", Names::Person(1)),
];

/// Alice owns it all; bob may have a role; the third is anybody.
fn people() -> [Person; 3] {
    [101, 102, 103].map(Person::new)
}

fn place(id: &[u8]) -> usize {
    people().iter().position(|one| one.id.to_vec() == id).unwrap()
}

fn repo(house: usize) -> RepoId {
    RepoId::new(house as u64 + 1).unwrap()
}

#[derive(Debug, PartialEq)]
struct Comment {
    author: usize,
    /// What it said and says.
    texts: Vec<String>,
    reactions: BTreeSet<(usize, i32)>,
}

#[derive(Debug, PartialEq)]
struct Thread {
    comments: Vec<Comment>,
    locked: bool,
    title: String,
    /// Whether, and why.
    closed: (bool, CloseReason),
    labels: BTreeSet<String>,
    assignees: BTreeSet<usize>,
    milestone: u64,
    /// Where this is named: repository, thread, comment, and by whom.
    named: Vec<(usize, usize, usize, usize)>,
}

#[derive(Debug, Default, PartialEq)]
struct House {
    archived: bool,
    bob_helps: bool,
    threads: Vec<Thread>,
    labels: BTreeMap<String, u32>,
    milestones: Vec<String>,
    pinned: Vec<u64>,
}

#[derive(Debug, Default, PartialEq)]
struct Model([House; 2]);

/// What somebody does in a repository.
#[derive(Clone, Debug)]
enum Act {
    Talk(u64, ThreadAction),
    Issue(IssueAction),
    /// Whether bob helps.
    Help(bool),
    Archive(bool),
}

/// The words of a text.
fn words(text: &str) -> Vec<&'static (&'static str, Names)> {
    let mut parts: Vec<_> = text.trim_end_matches('!').split(" and ").collect();
    parts.dedup();
    let word = |part: &str| WORDS.iter().find(|(word, _)| *word == part).unwrap();
    parts.into_iter().map(word).collect()
}

impl House {
    fn has_role(&self, who: usize) -> bool {
        who == 0 || (who == 1 && self.bob_helps)
    }

    fn thread(&mut self, number: u64) -> Option<&mut Thread> {
        self.threads.get_mut(number.checked_sub(1)? as usize)
    }

    /// The thread of an issue that somebody may change as its author or by a role.
    fn own(&mut self, who: usize, number: u64) -> Option<&mut Thread> {
        let role = self.has_role(who);
        let thread = self.thread(number)?;
        let own = thread.comments[0].author == who && !thread.locked;
        (role || own).then_some(thread)
    }

    fn open(&self) -> u64 {
        self.threads.iter().filter(|thread| !thread.closed.0).count() as u64
    }

    /// What those with a role, and authors, do about issues.
    fn sort(&mut self, who: usize, change: &IssueAction) -> bool {
        let role = self.has_role(who);
        match change {
            IssueAction::Open { .. } => unreachable!("it is said, too"),
            IssueAction::Retitle { number, title } => self
                .own(who, *number)
                .is_some_and(|thread| changes(&mut thread.title, title.clone())),
            IssueAction::Close { number, reason } => match self.own(who, *number) {
                Some(thread) if !thread.closed.0 => changes(&mut thread.closed, (true, *reason)),
                _ => false,
            },
            IssueAction::Reopen { number } => {
                let open = (false, CloseReason::Done);
                self.own(who, *number).is_some_and(|thread| changes(&mut thread.closed, open))
            }
            _ if !role => false,
            IssueAction::Label { number, labels } => {
                let known: BTreeSet<_> = self.labels.keys().cloned().collect();
                let labels: BTreeSet<_> = labels.iter().cloned().collect();
                self.thread(*number).is_some_and(|thread| {
                    let mut new = labels.difference(&thread.labels);
                    new.all(|one| known.contains(one)) && changes(&mut thread.labels, labels)
                })
            }
            IssueAction::Assign { number, accounts } => self.assign(*number, accounts),
            IssueAction::Plan { number, milestone } => {
                let count = self.milestones.len() as u64;
                self.thread(*number).is_some_and(|thread| {
                    *milestone <= count && changes(&mut thread.milestone, *milestone)
                })
            }
            IssueAction::Pin { number, pinned } => {
                let has = self.pinned.contains(number);
                let full = *pinned && self.pinned.len() >= PINS_MAX;
                if self.thread(*number).is_none() || has == *pinned || full {
                    return false;
                }
                self.pinned.retain(|one| one != number);
                self.pinned.extend(pinned.then_some(number));
                true
            }
            IssueAction::PutLabel { name, color, .. } => {
                self.labels.insert(name.clone(), *color) != Some(*color)
            }
            IssueAction::DropLabel { name } => self.labels.remove(name).is_some(),
            IssueAction::PutMilestone { milestone: 0, title, .. } => {
                self.milestones.push(title.clone());
                true
            }
            IssueAction::PutMilestone { milestone, title, .. } => {
                let at = *milestone as usize - 1;
                self.milestones.get_mut(at).is_some_and(|one| changes(one, title.clone()))
            }
        }
    }

    /// New people have a role, or it is their issue.
    fn assign(&mut self, number: u64, accounts: &[AccountId]) -> bool {
        let wanted: BTreeSet<_> = accounts.iter().map(|id| place(id.as_bytes())).collect();
        let helpers: BTreeSet<_> = (0..3).filter(|who| self.has_role(*who)).collect();
        self.thread(number).is_some_and(|thread| {
            let able = |who: &usize| helpers.contains(who) || thread.comments[0].author == *who;
            let mut new = wanted.difference(&thread.assignees);
            new.all(able) && changes(&mut thread.assignees, wanted)
        })
    }
}

/// Puts a value in place of another; whether it is another.
fn changes<T: PartialEq>(place: &mut T, value: T) -> bool {
    let is_other = *place != value;
    *place = value;
    is_other
}

impl Model {
    /// Whether somebody may do it; and then it is done, and these are mentioned.
    fn act(&mut self, who: usize, house: usize, act: &Act) -> Option<Vec<usize>> {
        let role = self.0[house].has_role(who);
        let one = &mut self.0[house];
        match act {
            Act::Help(helps) => return changes(&mut one.bob_helps, *helps).then(Vec::new),
            // Said again, it is so again.
            Act::Archive(archived) => {
                one.archived = *archived;
                return Some(Vec::new());
            }
            _ if one.archived => return None,
            Act::Issue(IssueAction::Open { title, text }) => {
                one.threads.push(Thread::new(title.clone()));
                let number = one.threads.len();
                return Some(self.say(who, house, number, text));
            }
            Act::Issue(change) => return one.sort(who, change).then(Vec::new),
            Act::Talk(..) => {}
        }
        let Act::Talk(number, change) = act else { return None };
        let thread = one.thread(*number).filter(|thread| role || !thread.locked)?;
        match change {
            ThreadAction::Comment { text } => Some(self.say(who, house, *number as usize, text)),
            ThreadAction::Lock { locked } => {
                (role && changes(&mut thread.locked, *locked)).then(Vec::new)
            }
            ThreadAction::React { comment, reaction, on } => {
                let given = &mut thread.comments.get_mut(*comment as usize)?.reactions;
                let one = (who, i32::from(*reaction));
                (if *on { given.insert(one) } else { given.remove(&one) }).then(Vec::new)
            }
            ThreadAction::Edit { comment, text } => {
                let said = thread.comments.get_mut(*comment as usize)?;
                let was = said.texts.last()?.clone();
                if said.author != who || was == *text {
                    return None;
                }
                said.texts.push(text.clone());
                Some(self.tell(who, (house, *number as usize, *comment as usize), text, &was))
            }
        }
    }

    fn say(&mut self, who: usize, house: usize, number: usize, text: &str) -> Vec<usize> {
        let comments = &mut self.0[house].threads[number - 1].comments;
        let reactions = BTreeSet::new();
        comments.push(Comment { author: who, texts: vec![text.to_owned()], reactions });
        let comment = comments.len() - 1;
        self.tell(who, (house, number, comment), text, "fine")
    }

    /// What a text names that it did not before: a thread is told once of each that names it, while
    /// whoever writes may speak there.
    fn tell(
        &mut self,
        who: usize,
        (house, number, comment): (usize, usize, usize),
        text: &str,
        before: &str,
    ) -> Vec<usize> {
        let told: Vec<_> = words(before).iter().map(|(word, _)| *word).collect();
        let mut mentioned = Vec::new();
        for (_, names) in words(text).into_iter().filter(|(word, _)| !told.contains(word)) {
            let to = match names {
                Names::Nothing => continue,
                Names::Person(who) => {
                    mentioned.push(*who);
                    continue;
                }
                Names::Here(to) => (house, *to),
                Names::Thread(house, to) => (*house, *to),
            };
            let there = &mut self.0[to.0];
            let silent = there.archived;
            let role = there.has_role(who);
            let Some(thread) = there.thread(to.1 as u64) else { continue };
            let known = thread.named.iter().any(|one| (one.0, one.1) == (house, number));
            if to != (house, number) && !known && !silent && (role || !thread.locked) {
                thread.named.push((house, number, comment, who));
            }
        }
        mentioned
    }
}

impl Thread {
    fn new(title: String) -> Self {
        Self {
            comments: Vec::new(),
            locked: false,
            title,
            closed: (false, CloseReason::Done),
            labels: BTreeSet::new(),
            assignees: BTreeSet::new(),
            milestone: 0,
            named: Vec::new(),
        }
    }
}

/// What there is, read back.
fn found(whole: &Whole) -> Model {
    Model([0, 1].map(|house| {
        let id = repo(house);
        let access: proto::RepoAccess = read(whole, keys::repo_access(id)).unwrap_or_default();
        let tracker: proto::Tracker = read(whole, keys::tracker(id)).unwrap_or_default();
        let threads: proto::Threads = read(whole, keys::threads(id)).unwrap_or_default();
        let value: proto::Repo = read(whole, keys::repo(id)).unwrap();
        let one = House {
            archived: value.archived,
            bob_helps: !access.collaborators.is_empty(),
            threads: (1..=threads.count).map(|number| found_thread(whole, id, number)).collect(),
            labels: tracker.labels.into_iter().map(|one| (one.name, one.color)).collect(),
            milestones: tracker.milestones.into_iter().map(|one| one.title).collect(),
            pinned: tracker.pinned,
        };
        assert_eq!(one.open(), tracker.open);
        one
    }))
}

fn found_thread(whole: &Whole, id: RepoId, number: u64) -> Thread {
    let thread: proto::Thread = read(whole, keys::thread(id, number)).unwrap();
    let issue: proto::Issue = read(whole, keys::issue(id, number)).unwrap();
    let named = (0..thread.references).map(|index| {
        let one: proto::Reference = read(whole, keys::reference(id, number, index)).unwrap();
        (one.repo as usize - 1, one.number as usize, one.comment as usize, place(&one.account))
    });
    let comments = (0..thread.comments).map(|index| found_comment(whole, (id, number, index)));
    Thread {
        comments: comments.collect(),
        locked: thread.locked,
        closed: (issue.closed, issue.reason()),
        title: issue.title,
        labels: issue.labels.into_iter().collect(),
        assignees: issue.assignees.iter().map(|id| place(id)).collect(),
        milestone: issue.milestone,
        named: named.collect(),
    }
}

fn found_comment(whole: &Whole, (id, number, index): (RepoId, u64, u64)) -> Comment {
    let value: proto::CommentValue = read(whole, keys::comment(id, number, index)).unwrap();
    let former = (0..value.edits).map(|edit| {
        let key = keys::comment_edit(id, number, index, edit);
        read::<proto::CommentEdit>(whole, key).unwrap().text
    });
    let given = people().into_iter().enumerate().flat_map(|(who, person)| {
        let key = keys::reactions(id, number, index, &person.id);
        let given: proto::Reactions = read(whole, key).unwrap_or_default();
        given.reactions.into_iter().map(move |one| (who, one))
    });
    Comment {
        author: place(&value.author),
        texts: former.chain([value.text]).collect(),
        reactions: given.collect(),
    }
}

fn read<M: Message + Default>(whole: &Whole, key: Vec<u8>) -> Option<M> {
    whole.get(&key).unwrap()
}

/// Two numbers, read as the act likes.
fn act(what: u8, a: usize, b: usize) -> Act {
    let number = [1, 1, 1, 2, 2, 3, 4, 6][a];
    let comment = b as u64 % 3;
    let text = format!("{} and {}!", WORDS[a].0, WORDS[b].0);
    let title = format!("t{}", b % 3);
    let name = LABELS[a % 2].to_owned();
    Act::Issue(match what {
        0..=2 => IssueAction::Open { title, text },
        3..=5 => return Act::Talk(number, ThreadAction::Comment { text }),
        6 | 7 => return Act::Talk(number, ThreadAction::Edit { comment, text }),
        8 | 9 => {
            let reaction = REACTIONS[b / 3 % 2];
            return Act::Talk(number, ThreadAction::React { comment, reaction, on: what == 8 });
        }
        10 => return Act::Talk(number, ThreadAction::Lock { locked: b < 5 }),
        11 => return Act::Help(b < 4),
        12 => return Act::Archive(b < 1),
        13 => IssueAction::Retitle { number, title },
        14 => IssueAction::Close { number, reason: REASONS[b % 3] },
        15 => IssueAction::Reopen { number },
        16 => {
            let labels = (0..2).filter(|bit| b >> bit & 1 == 1);
            IssueAction::Label { number, labels: labels.map(|one| LABELS[one].into()).collect() }
        }
        17 => {
            let some = (0..3).filter(|bit| b >> bit & 1 == 1);
            let mut accounts: Vec<_> = some.map(|who| people()[who].id).collect();
            accounts.sort();
            IssueAction::Assign { number, accounts }
        }
        18 => IssueAction::Plan { number, milestone: comment },
        19 => IssueAction::Pin { number, pinned: b < 5 },
        20 => IssueAction::PutLabel { name, color: b as u32 % 2, description: String::new() },
        21 => IssueAction::DropLabel { name },
        _ => IssueAction::PutMilestone { milestone: comment, title, due_s: 0, closed: false },
    })
}

fn action(who: &Person, house: usize, act: Act) -> Action {
    let (actor, repo) = (who.id, repo(house));
    match act {
        Act::Talk(number, change) => Action::Thread { actor, repo, number, change },
        Act::Issue(change) => Action::Issue { actor, repo, change },
        Act::Help(helps) => {
            let role = if helps { RepoRole::Triage } else { RepoRole::None };
            let change = RepoAction::SetCollaborator { account: people()[1].id, role };
            Action::Repo { actor, repo, change }
        }
        Act::Archive(archived) => {
            let (description, default_branch, archived) = (None, None, Some(archived));
            Action::EditRepo { actor, repo, description, default_branch, archived }
        }
    }
}

/// Steps of one block: each does what the model says, and tells whom it says.
fn live(world: &mut World, model: &mut Model, steps: Vec<Step>) {
    let (mut acts, mut wanted) = (Vec::new(), Vec::new());
    for (who, house, act) in steps {
        // Alice alone says who helps, and what is archived.
        let who = if matches!(act, Act::Help(_) | Act::Archive(_)) { 0 } else { who };
        let person = people()[who].clone();
        wanted.push((model.act(who, house, &act), format!("{who} {house} {act:?}")));
        let action = action(&person, house, act);
        acts.push((person, action));
    }
    let results = together(world, acts);
    assert_eq!(results.len(), wanted.len());
    for (result, (wanted, said)) in results.iter().zip(wanted) {
        assert_eq!(result.code == 0, wanted.is_some(), "{said}: {}", result.log);
        let events = result.events.iter().filter(|event| event.r#type == events::MENTIONED);
        let mentioned = events.map(|event| {
            let is_it = |one: &Person| {
                event.attributes.iter().any(|entry| entry.value == one.id.to_string())
            };
            people().iter().position(is_it).unwrap()
        });
        assert_eq!(mentioned.collect::<Vec<_>>(), wanted.unwrap_or_default(), "{said}");
    }
    assert_eq!(found(&world.node.whole()), *model);
}

type Step = (usize, usize, Act);

/// What there is to talk about at first.
fn first() -> Vec<Step> {
    let open = |who| (who, 0, act(0, 0, 0));
    let mut steps = vec![open(1), open(2), open(0), open(1)];
    steps.extend([(1, 1, act(0, 0, 0)), (0, 0, act(20, 0, 0)), (0, 0, act(20, 1, 0))]);
    steps.extend([0, 3, 5].map(|a| (0, 0, act(19, a, 0))));
    steps
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    // Most happens in the first, and much by alice.
    let house = prop_oneof![4 => Just(0usize), 1 => Just(1usize)];
    let who = prop_oneof![2 => Just(0usize), 3 => 0usize..3];
    let step = (who, house, 0u8..23, 0usize..8, 0usize..8);
    let step = step.prop_map(|(who, house, what, a, b)| (who, house, act(what, a, b)));
    prop::collection::vec(prop::collection::vec(step, 1..24), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn issues_and_talk_are_those_of_a_plain_model(steps in steps()) {
        let mut world = World::with(|state| {
            let other = GenesisRepo {
                owner: "alice".into(),
                name: "other".into(),
                description: String::new(),
                default_branch: "refs/heads/main".into(),
                object_format: Format::Sha1,
            };
            state.repo.repos.push(other);
            let bob = people()[1].secret.public();
            let accounts = &mut state.account.accounts;
            accounts.iter_mut().find(|one| one.key == bob).unwrap().handle = "bob".into();
        });
        let mut model = Model::default();
        live(&mut world, &mut model, first());
        for steps in steps {
            live(&mut world, &mut model, steps);
        }
    }
}

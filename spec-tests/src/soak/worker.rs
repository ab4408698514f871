//! A process that lives a share of the lives, one after the other.

use super::{
    children::Children,
    life::{Birth, Life},
    random::Random,
    watch,
};
use crate::faults::{Place, Variant};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) runtime: PathBuf,
    pub(super) dir: PathBuf,
    /// The state directory, shared with the other workers.
    pub(super) state: PathBuf,
    pub(super) payload: PathBuf,
    pub(super) parent: String,
    pub(super) tag: String,
    /// The seed of the first life; the others' follow.
    pub(super) seed: u64,
    pub(super) count: u64,
    /// So many containers live beside them.
    pub(super) alive: u64,
}

/// What a worker tells, one a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// A life that ended as it should: operations, and looks at it.
    Lived(usize, usize),
    /// One that did not.
    Failed(u64, String),
    /// How long a create and a list took in microseconds, while so many containers were alive.
    Took {
        /// How many.
        alive: usize,
        /// The median create.
        create: u128,
        /// The median list.
        list: u128,
    },
}

pub(super) fn main(order: &str) -> io::Result<()> {
    let order: Order = serde_json::from_str(order)?;
    let place = Place::enter(&order.dir, Some(&order.state), &order.parent, &order.tag)?;
    let files = order.dir.join("calls");
    fs::create_dir(&files)?;
    let children = Children::new(&order.runtime, &order.state, &files);
    thread::scope(|scope| {
        scope.spawn(|| children.reap());
        let done = Worker { order: &order, place: &place, children: &children }.work();
        children.end();
        done
    })?;
    if order.alive > 0 {
        place.drop_parents();
    }
    if let Err(words) = place.quiet() {
        tell(&Told::Failed(order.seed, format!("after all there is still {words}")))?;
        place.sweep();
    }
    Ok(())
}

fn tell(told: &Told) -> io::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string(told)?)
}

struct Worker<'a> {
    order: &'a Order,
    place: &'a Place,
    children: &'a Children,
}

impl Worker<'_> {
    fn work(&self) -> io::Result<()> {
        let images = [Variant::Plain, Variant::User].map(|variant| self.image(variant));
        let [plain, user] = images;
        let (plain, user) = (plain?, user?);
        let alive = self.make_alive(&plain)?;
        for seed in self.order.seed..self.order.seed + self.order.count {
            if crate::harness::interrupted() {
                break;
            }
            let mut random = Random::new(seed);
            let image = if random.below(4) == 0 { &user } else { &plain };
            tell(&self.live(seed, image, &mut random)?)?;
        }
        for id in alive {
            let called = self.children.call(&["delete", "--force", &id]);
            if !called.ok() {
                tell(&Told::Failed(self.order.seed, called.line()))?;
            }
        }
        Ok(())
    }

    /// A bundle of which others have the image and, but for the cgroup, the configuration.
    fn image(&self, variant: Variant) -> io::Result<serde_json::Value> {
        let dir = self.order.dir.join(variant.name());
        let bundle = variant.bundle(dir, &self.order.payload, "", &self.place.hierarchies, &["wait"])?;
        let mut config = bundle.config.clone();
        config["root"]["path"] = bundle.rootfs().to_string_lossy().into();
        // Two of each three do without: hooks cost more than all the rest.
        if let Some(hooks) = config["hooks"].as_object_mut() {
            hooks.retain(|kind, _| kind == "poststop" || kind == "startContainer");
        }
        Ok(config)
    }

    /// A bundle for container `id`.
    fn bundle(&self, id: &str, image: &serde_json::Value) -> io::Result<PathBuf> {
        let dir = self.order.dir.join(id);
        fs::create_dir(&dir)?;
        let mut config = image.clone();
        config["linux"]["cgroupsPath"] = format!("{}/{}/{id}", self.order.parent, self.order.tag).into();
        fs::write(dir.join("config.json"), config.to_string())?;
        Ok(dir)
    }

    fn live(&self, seed: u64, image: &serde_json::Value, random: &mut Random) -> io::Result<Told> {
        let id = format!("{}-{seed}", self.order.tag);
        let bundle = self.bundle(&id, image)?;
        let updates = self
            .place
            .hierarchies
            .iter()
            .any(|h| h.controllers.iter().any(|controller| controller == "pids"));
        let path = bundle.to_string_lossy();
        let birth = Birth::of(random);
        let over = AtomicBool::new(false);
        let (lived, watched) = thread::scope(|scope| {
            let watcher =
                scope.spawn(|| watch::watch(self.children, &id, seed, birth != Birth::Deleted, &over));
            let lived = Life::new(self.children, &id, &path, updates).live(birth, random);
            over.store(true, Ordering::Relaxed);
            (lived, watcher.join())
        });
        let (watched, looks) = watched.map_err(|_| io::Error::other("a thread of the suite broke down"))?;
        let clean = if self.order.alive == 0 { self.place.quiet() } else { self.place.is_gone(&id) };
        fs::remove_dir_all(bundle)?;
        let log = || lived.as_ref().map_or(String::new(), |log| format!("\n    {}", log.join("\n    ")));
        let watched = watched.map_err(|words| words + &log());
        let clean = clean.map_err(|words| format!("there is still {words}{}", log()));
        let all = lived.and_then(|log| watched.map(|()| log.len()));
        let all = all.and_then(|acts| clean.map(|()| acts));
        Ok(match all {
            Ok(acts) => Told::Lived(acts, looks),
            Err(words) => {
                if self.order.alive == 0 {
                    self.place.sweep();
                }
                Told::Failed(seed, words)
            }
        })
    }

    /// Makes the containers that live beside the others.
    fn make_alive(&self, image: &serde_json::Value) -> io::Result<Vec<String>> {
        let mut alive = Vec::new();
        if self.order.alive > 0 {
            self.measure(image)?;
        }
        for index in 0..self.order.alive {
            let id = format!("{}-alive{index}", self.order.tag);
            let dir = self.bundle(&id, image)?;
            let words = ["create", "--bundle", &dir.to_string_lossy(), &id];
            for words in [&words[..], &["start", &id]] {
                let called = self.children.call(words);
                if !called.ok() {
                    tell(&Told::Failed(self.order.seed, called.line()))?;
                }
            }
            alive.push(id);
        }
        if self.order.alive > 0 {
            self.measure(image)?;
        }
        Ok(alive)
    }

    /// How long a create and a list take now.
    fn measure(&self, image: &serde_json::Value) -> io::Result<()> {
        let id = format!("{}-measured", self.order.tag);
        let dir = self.bundle(&id, image)?;
        let path = dir.to_string_lossy().into_owned();
        let (mut creates, mut lists) = (Vec::new(), Vec::new());
        for _ in 0..21 {
            creates.push(self.time(&["create", "--bundle", &path, &id])?);
            lists.push(self.time(&["list", "--quiet"])?);
            self.time(&["delete", "--force", &id])?;
        }
        fs::remove_dir_all(dir)?;
        let median = |mut list: Vec<Duration>| {
            list.sort_unstable();
            list.get(list.len() / 2).map_or(0, Duration::as_micros)
        };
        tell(&Told::Took { alive: count(&self.order.state), create: median(creates), list: median(lists) })
    }

    fn time(&self, words: &[&str]) -> io::Result<Duration> {
        let start = Instant::now();
        let called = self.children.call(words);
        if called.ok() { Ok(start.elapsed()) } else { Err(io::Error::other(called.line())) }
    }
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

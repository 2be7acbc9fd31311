//! What a key does. Whatever changes something is asked for twice: the value, and whether it is meant.

use super::model::{self, Look, Row, Sort};
use xsched_core::ClientId;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    Tab,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C.
    End,
}

/// A change that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Priority(ClientId, i64),
    Policy(String),
}

/// What the last line is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// The keys that there are, or the last message.
    #[default]
    None,
    Filter,
    Priority {
        of: ClientId,
        text: String,
    },
    Policy {
        at: usize,
    },
    Sure {
        wish: Wish,
        question: String,
    },
    Help,
}

/// All that a frame depends on.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) before: Look,
    pub(crate) now: Look,
    pub(crate) sort: Sort,
    pub(crate) filter: String,
    pub(crate) shows_queues: bool,
    pub(crate) prompt: Prompt,
    pub(crate) message: String,
    /// The row that is chosen: it stays the same however rows are sorted.
    chosen: Option<(ClientId, String)>,
    pub(crate) first: usize,
    is_over: bool,
}

impl App {
    pub(crate) fn new(look: Look) -> App {
        App {
            before: look.clone(),
            now: look,
            sort: Sort::default(),
            filter: String::new(),
            shows_queues: false,
            prompt: Prompt::None,
            message: String::new(),
            chosen: None,
            first: 0,
            is_over: false,
        }
    }

    /// A new look at the server.
    pub(crate) fn see(&mut self, look: Look) {
        self.before = std::mem::replace(&mut self.now, look);
    }

    /// Something to say until the next key.
    pub(crate) fn say(&mut self, message: String) {
        self.message = message.lines().next().unwrap_or_default().into();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The rows to be shown.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let rows = if self.shows_queues {
            model::queues(&self.before, &self.now)
        } else {
            model::processes(&self.before, &self.now)
        };
        model::arrange(rows, self.sort, &self.filter)
    }

    /// Which of these rows is chosen.
    pub(crate) fn chosen(&self, rows: &[Row]) -> usize {
        let is_it = |row: &Row| {
            self.chosen.as_ref().is_some_and(|(client, what)| row.client == *client && row.what == *what)
        };
        rows.iter().position(is_it).unwrap_or(0)
    }

    /// What a key does; a wish is to be fulfilled.
    pub(crate) fn press(&mut self, key: Key) -> Option<Wish> {
        self.message.clear();
        if key == Key::End {
            self.is_over = true;
            return None;
        }
        match std::mem::take(&mut self.prompt) {
            Prompt::None => self.press_plain(key),
            Prompt::Help => {}
            Prompt::Filter => match key {
                Key::Char(c) if self.filter.chars().count() < 40 => {
                    self.filter.push(c);
                    self.prompt = Prompt::Filter;
                }
                Key::Backspace => {
                    self.filter.pop();
                    self.prompt = Prompt::Filter;
                }
                Key::Escape => self.filter.clear(),
                Key::Enter => {}
                _ => self.prompt = Prompt::Filter,
            },
            Prompt::Priority { of, mut text } => match key {
                Key::Char(c) if (c.is_ascii_digit() || c == '-' && text.is_empty()) && text.len() < 5 => {
                    text.push(c);
                    self.prompt = Prompt::Priority { of, text };
                }
                Key::Backspace => {
                    text.pop();
                    self.prompt = Prompt::Priority { of, text };
                }
                Key::Enter => match text.parse() {
                    Ok(value) => {
                        let question = format!("give {of} priority {value}?");
                        self.prompt = Prompt::Sure { wish: Wish::Priority(of, value), question };
                    }
                    Err(_) => self.prompt = Prompt::Priority { of, text },
                },
                Key::Escape => {}
                _ => self.prompt = Prompt::Priority { of, text },
            },
            Prompt::Policy { at } => {
                let count = self.now.policies.len().max(1);
                match key {
                    Key::Left | Key::Up => self.prompt = Prompt::Policy { at: (at + count - 1) % count },
                    Key::Right | Key::Down | Key::Tab => {
                        self.prompt = Prompt::Policy { at: (at + 1) % count }
                    }
                    Key::Enter => {
                        if let Some(name) = self.now.policies.get(at).cloned() {
                            let question =
                                format!("change the policy from {} to {name}?", self.now.server.policy);
                            self.prompt = Prompt::Sure { wish: Wish::Policy(name), question };
                        }
                    }
                    Key::Escape => {}
                    _ => self.prompt = Prompt::Policy { at },
                }
            }
            // Everything but a clear yes is a no.
            Prompt::Sure { wish, .. } if matches!(key, Key::Char('y' | 'Y')) => return Some(wish),
            Prompt::Sure { .. } => self.say("nothing was changed".into()),
        }
        None
    }

    fn press_plain(&mut self, key: Key) {
        match key {
            Key::Char('q') | Key::Escape => self.is_over = true,
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('/') => self.prompt = Prompt::Filter,
            Key::Char('?' | 'h') => self.prompt = Prompt::Help,
            Key::Tab => {
                self.shows_queues = !self.shows_queues;
                self.chosen = None;
            }
            Key::Char('p') => {
                let rows = self.rows();
                if let Some(row) = rows.get(self.chosen(&rows)) {
                    self.prompt = Prompt::Priority { of: row.client, text: String::new() };
                }
            }
            Key::Char('P') => {
                let at = self.now.policies.iter().position(|name| *name == self.now.server.policy);
                self.prompt = Prompt::Policy { at: at.unwrap_or(0) };
            }
            Key::Up | Key::Char('k') => self.choose(-1),
            Key::Down | Key::Char('j') => self.choose(1),
            _ => {}
        }
    }

    fn choose(&mut self, step: isize) {
        let rows = self.rows();
        let at = self.chosen(&rows).saturating_add_signed(step).min(rows.len().saturating_sub(1));
        self.chosen = rows.get(at).map(|row| (row.client, row.what.clone()));
    }
}

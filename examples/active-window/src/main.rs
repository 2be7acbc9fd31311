//! A window with a moving picture that an OpenCL device computes, as fast as it is let; its title, and a line each second, say how fast that is.
//! It knows nothing of XSched.
//!
//! `active-window [NAME]`

mod picture;
mod window;

use anyhow::Result;
use picture::Painter;
use std::time::{Duration, Instant};
use window::Window;

const SIZE: [u16; 2] = [256, 192];

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "active-window".to_owned());
    let mut window = Window::open(&name, SIZE)?;
    let mut painter = Painter::start(SIZE)?;
    let mut image = painter.image();
    let (mut begun, mut frames) = (Instant::now(), 0);
    while !window.is_closed()? {
        painter.next(&mut image)?;
        window.show(&image)?;
        frames += 1;
        let elapsed = begun.elapsed();
        if elapsed >= Duration::from_secs(1) {
            let rate = format!("{name}: {:.1} frames/s", f64::from(frames) / elapsed.as_secs_f64());
            println!("{rate}");
            window.set_title(&rate)?;
            (begun, frames) = (Instant::now(), 0);
        }
    }
    Ok(())
}

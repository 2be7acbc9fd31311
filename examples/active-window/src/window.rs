//! One window on an X display, that shows pictures.

use anyhow::{Context as _, Result, ensure};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, ImageOrder, PropMode,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

pub(crate) struct Window {
    connection: RustConnection,
    window: u32,
    context: u32,
    depth: u8,
    size: [u16; 2],
    /// The window manager's word for: the user wants it closed.
    delete: u32,
}

impl Window {
    /// On the display that DISPLAY names. It says whose it is, by which it is known whether this program is active.
    pub(crate) fn open(title: &str, size: [u16; 2]) -> Result<Window> {
        let (connection, screen) = RustConnection::connect(None).context("opening the display")?;
        let screen = &connection.setup().roots[screen];
        let (depth, root, black) = (screen.root_depth, screen.root, screen.black_pixel);
        let mut formats = connection.setup().pixmap_formats.iter();
        let is_true_colour = formats.any(|format| format.depth == depth && format.bits_per_pixel == 32);
        ensure!(is_true_colour, "the display has {depth} bits per pixel; 24 are needed");
        let (window, context) = (connection.generate_id()?, connection.generate_id()?);
        let (class, aux) = (WindowClass::INPUT_OUTPUT, CreateWindowAux::new().background_pixel(black));
        let ([width, height], same) = (size, x11rb::COPY_FROM_PARENT);
        connection.create_window(depth, window, root, 0, 0, width, height, 0, class, same, &aux)?;
        connection.create_gc(context, window, &CreateGCAux::new())?;
        let atom =
            |name: &str| -> Result<u32> { Ok(connection.intern_atom(false, name.as_bytes())?.reply()?.atom) };
        let (pid, protocols, delete) =
            (atom("_NET_WM_PID")?, atom("WM_PROTOCOLS")?, atom("WM_DELETE_WINDOW")?);
        let replace = PropMode::REPLACE;
        connection.change_property32(replace, window, pid, AtomEnum::CARDINAL, &[std::process::id()])?;
        connection.change_property32(replace, window, protocols, AtomEnum::ATOM, &[delete])?;
        let window = Window { connection, window, context, depth, size, delete };
        window.set_title(title)?;
        window.connection.map_window(window.window)?;
        window.connection.flush()?;
        Ok(window)
    }

    pub(crate) fn set_title(&self, title: &str) -> Result<()> {
        let (name, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
        self.connection.change_property8(PropMode::REPLACE, self.window, name, kind, title.as_bytes())?;
        Ok(())
    }

    /// Shows a picture: 0x00RRGGBB, line by line.
    pub(crate) fn show(&self, image: &[u32]) -> Result<()> {
        let is_little = self.connection.setup().image_byte_order == ImageOrder::LSB_FIRST;
        let bytes = |pixel: &u32| if is_little { pixel.to_le_bytes() } else { pixel.to_be_bytes() };
        let data: Vec<u8> = image.iter().flat_map(bytes).collect();
        let ([width, height], format) = (self.size, ImageFormat::Z_PIXMAP);
        let drawn = self.connection.put_image(
            format,
            self.window,
            self.context,
            width,
            height,
            0,
            0,
            0,
            self.depth,
            &data,
        )?;
        // Waits until it is drawn, so that pictures do not pile up in the display.
        drawn.check()?;
        Ok(())
    }

    /// Whether the user has closed it.
    pub(crate) fn is_closed(&mut self) -> Result<bool> {
        let mut is_closed = false;
        while let Some(event) = self.connection.poll_for_event()? {
            is_closed |=
                matches!(event, Event::ClientMessage(message) if message.data.as_data32()[0] == self.delete);
        }
        Ok(is_closed)
    }
}

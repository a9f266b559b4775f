//! A picture on a server that is looked at while it arrives: drives the session beside the window.

use crate::viewer::{Source, Transfer, Wake, Wanted};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{DecodeRequest, Image};
use wavetile_transport::client::Session;
use wavetile_transport::jpip::Event;
use wavetile_transport::ranges::RemoteFile;

/// Hands a session over to a window; it is driven on `runtime` until the window closes.
pub(crate) fn source(runtime: &Handle, name: String, session: Session) -> Source {
    let road = session.road();
    let transfer =
        Arc::new(Mutex::new(Transfer { from: format!("{name} over {road}"), ..Transfer::default() }));
    let bins = session.bins();
    let (windows, wanted) = mpsc::unbounded_channel();
    let (runtime, shared) = (runtime.clone(), Arc::clone(&transfer));
    Source {
        name,
        bins,
        steer: Box::new(move |image: &Image, wanted: Wanted| {
            let request = DecodeRequest::new().reduce(wanted.reduce).region(wanted.region);
            // The driver outlives the window; if it has failed, the overlay says so.
            let _ = windows.send(image.rendered_window(&request).ok());
        }),
        transfer: Some(transfer),
        on_start: Box::new(move |wake| {
            runtime.spawn(drive(session, wanted, shared, wake));
        }),
    }
}

/// Hands a file on a web server over to a window; what it shows is fetched on `runtime` until the window closes.
pub(crate) fn file_source(runtime: &Handle, name: String, file: RemoteFile) -> Source {
    let from = format!("{name} in ranges of bytes");
    let transfer = Arc::new(Mutex::new(Transfer { from, ..Transfer::default() }));
    let bins = file.bins().clone();
    let (views, wanted) = mpsc::unbounded_channel();
    let (runtime, shared) = (runtime.clone(), Arc::clone(&transfer));
    Source {
        name,
        bins,
        steer: Box::new(move |image: &Image, wanted: Wanted| {
            let request = DecodeRequest::new().reduce(wanted.reduce).region(wanted.region);
            let _ = views.send((image.clone(), request));
        }),
        transfer: Some(transfer),
        on_start: Box::new(move |wake| {
            runtime.spawn(drive_file(file, wanted, shared, wake));
        }),
    }
}

/// Fetches what the newest view needs, and wakes the window when it is there.
async fn drive_file(
    mut file: RemoteFile,
    mut views: UnboundedReceiver<(Image, DecodeRequest)>,
    transfer: Arc<Mutex<Transfer>>,
    wake: Sender<Wake>,
) {
    let mut next = views.recv().await;
    while let Some((image, request)) = next.take() {
        let mut newer = None;
        let outcome = tokio::select! {
            outcome = file.fetch(&image, &request, true) => outcome,
            view = views.recv() => {
                let Some(view) = view else { return };
                newer = Some(view);
                Ok(())
            }
        };
        {
            let mut transfer = transfer.lock().unwrap_or_else(PoisonError::into_inner);
            transfer.bytes = file.spent().received;
            transfer.failure = outcome.err().map(|error| error.to_string());
        }
        if wake.send(Wake::Data).is_err() {
            return;
        }
        next = match newer {
            Some(view) => Some(view),
            None => views.recv().await,
        };
        while let Ok(view) = views.try_recv() {
            next = Some(view);
        }
    }
}

/// Passes windows on to the session, and wakes the window when something has arrived.
async fn drive(
    mut session: Session,
    mut windows: UnboundedReceiver<Option<ViewWindow>>,
    transfer: Arc<Mutex<Transfer>>,
    wake: Sender<Wake>,
) {
    loop {
        let event = tokio::select! {
            window = windows.recv() => match window {
                Some(window) => {
                    session.set_window(window);
                    continue;
                }
                None => break,
            },
            event = session.next_event() => event,
        };
        {
            let mut transfer = transfer.lock().unwrap_or_else(PoisonError::into_inner);
            transfer.bytes = session.progress().received;
            match &event {
                Some(Event::Failed(error)) => transfer.failure = Some(error.to_string()),
                Some(_) => {}
                None => transfer.failure = Some("the connection is closed".to_owned()),
            }
        }
        if wake.send(Wake::Data).is_err() || event.is_none() {
            break;
        }
    }
    session.close().await;
}

"""The table of contents: every service, its tags, its port and its parts."""

import os
from collections.abc import Iterable
from dataclasses import replace
from zoneinfo import ZoneInfoNotFoundError

from bookshelf.accounts import people
from bookshelf.accounts.account import ACCOUNT
from bookshelf.accounts.claim import CLAIM
from bookshelf.accounts.forgetting import FORGETTING
from bookshelf.accounts.group import GROUP
from bookshelf.accounts.registration import REGISTRATION
from bookshelf.accounts.session import SESSION
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.config import (
    GatewaySettings,
    PhotoSettings,
    ShopSettings,
    WrongSetting,
    load,
    missing_extra,
    read,
)
from bookshelf.cqrs.route import BulkRoute
from bookshelf.cqrs.service import Service
from bookshelf.files import file
from bookshelf.files.handlers import download
from bookshelf.photos import images, photo
from bookshelf.photos.services import PEOPLE_SERVICES
from bookshelf.shelf import (
    book,
    book_list,
    changes,
    goals,
    last_read,
    list_view,
    lists,
    reading,
    reading_routes,
    readings_view,
    stats,
)
from bookshelf.shop.invoicing import Seller
from bookshelf.shop.parts import shop_parts

#: The parts of the services of the shop, as they are without its settings.
_SHOP = shop_parts(Seller("Bookshelf"))


def _with_site(service: Service) -> Service:
    from bookshelf.shelf.pages.cover_files import COVER_ROUTES  # noqa: PLC0415 (see `Service.load`)
    from bookshelf.shelf.pages.site import SITE  # noqa: PLC0415 (as above)

    routes = (*SITE.routes, *COVER_ROUTES)
    return replace(service, load=None, serves=routes, error_page=SITE.error_page, tasks=(SITE.run_jobs,))


def _with_account_site(service: Service) -> Service:
    from bookshelf.accounts.pages.site import SITE  # noqa: PLC0415 (see `Service.load`)

    return replace(service, load=None, serves=SITE.routes, error_page=SITE.error_page)


def _with_shop_site(service: Service) -> Service:
    from bookshelf.shop.pages.customer.site import SITE  # noqa: PLC0415 (see `Service.load`)

    return replace(service, load=None, serves=SITE.routes, error_page=SITE.error_page)


def _with_manager_site(service: Service) -> Service:
    from bookshelf.shop.pages.managing.site import SITE  # noqa: PLC0415 (see `Service.load`)

    return replace(service, load=None, serves=SITE.routes, error_page=SITE.error_page)


def _with_gallery(service: Service) -> Service:
    from bookshelf.photos.pages.site import gallery_site  # noqa: PLC0415 (see `Service.load`)

    settings = load(PhotoSettings, os.environ)
    site = gallery_site(settings.photos_zone, settings.photos_comment_length, settings.photos_bytes)
    return replace(service, load=None, serves=site.routes, error_page=site.error_page)


def _with_accounts(service: Service) -> Service:
    from bookshelf.accounts.handlers.parts import forget_again, make_parts  # noqa: PLC0415 (see `Service.load`)
    from bookshelf.accounts.handlers.routes import account_routes, need_accounts  # noqa: PLC0415 (as above)

    settings, storage = read(os.environ), load(GatewaySettings, os.environ).gateway_rate_storage
    try:
        parts = make_parts(
            settings.accounts_issuer, settings.accounts_token_s, settings.accounts_local_reader, storage
        )
    except ModuleNotFoundError as fault:
        raise missing_extra("the setting `gateway_rate_storage`", fault, "redis") from None
    except ValueError as fault:
        raise WrongSetting(f"gateway_rate_storage: {fault}") from None
    routes = account_routes(parts)
    return replace(service, load=None, serves=routes, middleware=(need_accounts,), tasks=(forget_again,))


def _with_shop(service: Service) -> Service:
    from bookshelf.shop.handlers.shop_services import with_shop  # noqa: PLC0415 (see `Service.load`)

    settings = load(ShopSettings, os.environ)
    try:
        return with_shop(
            service,
            Seller(settings.shop_name, settings.shop_address, settings.shop_zone),
            settings.shop_currency,
            invoice_years=settings.shop_invoice_years,
            local_reader=read(os.environ).accounts_local_reader,
        )
    except (ZoneInfoNotFoundError, ValueError):
        msg = (
            f"shop_zone (or BOOKSHELF_SHOP_ZONE): {settings.shop_zone!r} is no time zone, like Europe/Berlin"
        )
        raise WrongSetting(msg) from None


def _with_uploads(service: Service) -> Service:
    from bookshelf.photos.handlers.upload_service import with_uploads  # noqa: PLC0415 (see `Service.load`)

    return with_uploads(service, load(PhotoSettings, os.environ))


SERVICES = (
    Service(
        name="newbook",
        summary="Books come onto the shelf, are changed, are taken off",
        tags=("books", "new"),
        port=8081,
        runs=(book.BOOK,),
        serves=(*book.ROUTES, BulkRoute(path="/books/bulk", summary="Carry out many commands on books")),
    ),
    Service(
        name="readbook",
        summary="Books are read to their end",
        tags=("books", "read"),
        port=8082,
        runs=(reading.READING,),
        serves=(
            *reading_routes.ROUTES,
            BulkRoute(path="/readings/bulk", summary="Carry out many commands on readings"),
        ),
    ),
    Service(
        name="lastreadbooks",
        summary="The books read last",
        tags=("books", "last"),
        port=8080,
        runs=(last_read.VIEW,),
        serves=last_read.ROUTES,
    ),
    Service(
        name="booklist",
        summary="All books: list, search, one, its history",
        tags=("books", "list"),
        port=8084,
        runs=(book_list.VIEW,),
        serves=(*book_list.ROUTES, *changes.ROUTES),
    ),
    Service(
        name="readings",
        summary="Readings and passages, of one book and of all",
        tags=("books", "readings"),
        port=8085,
        runs=(readings_view.VIEW,),
        serves=readings_view.ROUTES,
    ),
    Service(
        name="lists",
        summary="Lists of books, in an order of the reader's own",
        tags=("books", "lists"),
        port=8083,
        runs=(lists.LIST, list_view.VIEW),
        serves=(
            *lists.COMMAND_ROUTES,
            *list_view.QUERY_ROUTES,
            BulkRoute(path="/lists/bulk", summary="Carry out many commands on lists"),
        ),
    ),
    Service(
        name="stats",
        summary="Goals, and the numbers of what was read",
        tags=("books", "stats"),
        port=8087,
        runs=(goals.GOAL, stats.VIEW),
        serves=(*goals.GOAL_ROUTES, *stats.QUERY_ROUTES),
    ),
    Service(
        name="site",
        summary="The pages of the reader",
        tags=("site", "reader"),
        port=8086,
        runs=(),
        serves=(),
        root="/",
        load=_with_site,
        keeps_files=True,
    ),
    Service(
        name="users",
        summary="People: accounts, sign-in, sessions, groups",
        tags=("accounts", "users"),
        port=8088,
        runs=(ACCOUNT, CLAIM, SESSION, GROUP, REGISTRATION, FORGETTING, people.VIEW),
        serves=(),
        load=_with_accounts,
        needs_accounts=True,
    ),
    Service(
        name="accountsite",
        summary="The pages of accounts; without accounts they state that",
        tags=("accounts", "site"),
        port=8089,
        runs=(),
        serves=(),
        root="/account",
        load=_with_account_site,
        keeps_files=True,
    ),
    Service(
        name="products",
        summary="Products, categories and stock",
        tags=("shop", "products"),
        port=8091,
        runs=_SHOP["products"],
        serves=(),
        load=_with_shop,
        profile="shop",
    ),
    Service(
        name="customers",
        summary="The credit of customers",
        tags=("shop", "customers"),
        port=8092,
        runs=_SHOP["customers"],
        serves=(),
        load=_with_shop,
        profile="shop",
    ),
    Service(
        name="orders",
        summary="Carts and orders",
        tags=("shop", "orders"),
        port=8093,
        runs=_SHOP["orders"],
        serves=(),
        load=_with_shop,
        needs_keyring=True,
        profile="shop",
    ),
    Service(
        name="payments",
        summary="Payments by card",
        tags=("shop", "payments"),
        port=8094,
        runs=_SHOP["payments"],
        serves=(),
        load=_with_shop,
        needs_keyring=True,
        profile="shop",
    ),
    Service(
        name="accounting",
        summary="Invoices and revenue",
        tags=("shop", "accounting"),
        port=8095,
        runs=_SHOP["accounting"],
        serves=(),
        load=_with_shop,
        needs_keyring=True,
        profile="shop",
    ),
    Service(
        name="shopsite",
        summary="The pages of the bookshop for customers",
        tags=("shop", "site"),
        port=8097,
        runs=(),
        serves=(),
        root="/shop",
        load=_with_shop_site,
        profile="shop",
    ),
    Service(
        name="managersite",
        summary="The pages of the bookshop for its manager",
        tags=("shop", "manage"),
        port=8098,
        runs=(),
        serves=(),
        root="/manage",
        load=_with_manager_site,
        profile="shop",
    ),
    Service(
        name="files",
        summary="Pictures that people upload",
        tags=("files",),
        port=8096,
        runs=(file.FILE,),
        serves=download.ROUTES,
        keeps_files=True,
        profile="shop",
    ),
    Service(
        name="gallery",
        summary="The pages of photos",
        tags=("photos", "site"),
        port=8125,
        runs=(),
        serves=(),
        root="/gallery",
        load=_with_gallery,
        profile="photos",
    ),
    Service(
        name="uploads",
        summary="Photos come in, are changed, removed and shown",
        tags=("photos", "upload"),
        port=8120,
        runs=(photo.PHOTO, images.VIEW),
        serves=(),
        load=_with_uploads,
        keeps_files=True,
        profile="photos",
    ),
    *PEOPLE_SERVICES,
    *CLUSTER_SERVICES,
)
#: The tags of the services that each system has.
_SYSTEMS = {
    "shelf": ("books", "site"),
    "accounts": ("accounts",),
    "shop": ("shop", "files"),
    "photos": ("photos",),
    "cluster": ("cluster",),
}


def chosen(names: Iterable[str]) -> tuple[Service, ...]:
    """Return the services with these names, and those of these systems; all of them without names.

    Raises `WrongSetting`.
    """
    wanted = set(names)
    if unknown := wanted - {service.name for service in SERVICES} - _SYSTEMS.keys():
        allowed = ", ".join([*_SYSTEMS, *(service.name for service in SERVICES)])
        raise WrongSetting(f"only: {', '.join(sorted(unknown))[:100]}: no service and no system; {allowed}")
    tags = {tag for name in wanted & _SYSTEMS.keys() for tag in _SYSTEMS[name]}
    return tuple(
        service for service in SERVICES if not wanted or service.name in wanted or service.tags[0] in tags
    )


#: What `bookshelf up` runs without accounts and without a domain.
WITHOUT_ACCOUNTS = tuple(
    service for service in SERVICES if not service.needs_accounts and not service.needs_domain
)
#: What the manifests of clusters of machines deploy: services of a domain come with its setting.
DEPLOYED = tuple(service for service in SERVICES if not service.needs_domain)
